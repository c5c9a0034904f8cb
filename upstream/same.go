package upstream

import "reflect"

// Same reports whether two configurations make the same upstream, so that a
// connection of the one is good for the other. Functions cannot be compared:
// what they do must follow from the other fields, as Resolve does from the
// references in them. What cannot be told to be the same is not. MessageLimit
// makes no difference: it can be set while the upstream lives.
func (c Config) Same(other Config) bool {
	a, b := reflect.ValueOf(c), reflect.ValueOf(other)
	for i := range a.NumField() {
		if a.Type().Field(i).Name == "MessageLimit" {
			continue
		}
		if !sameField(a.Field(i), b.Field(i)) {
			return false
		}
	}
	return true
}

func sameField(a, b reflect.Value) bool {
	if a.Kind() == reflect.Func {
		return a.IsNil() == b.IsNil()
	}
	x, y := a.Interface(), b.Interface()
	if err, ok := x.(error); ok {
		other, also := y.(error)
		return also && err.Error() == other.Error()
	}
	return reflect.DeepEqual(x, y)
}
