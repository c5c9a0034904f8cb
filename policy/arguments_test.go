package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDecodeObject(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + `1` + strings.Repeat(`}`, n) }
	for _, tt := range []struct {
		text string
		want any // a map or an error
	}{
		{"", map[string]any{}},
		{" null ", map[string]any{}},
		{"{}", map[string]any{}},
		{`{"a":1,"A":-1,"b":1.0,"c":1e2,"d":"\u0061","e":[true,false,null,{}]}`, map[string]any{
			"a": int64(1), "A": int64(-1), "b": 1.0, "c": 100.0, "d": "a", "e": []any{true, false, nil, map[string]any{}},
		}},
		{`{"a":9223372036854775807,"b":-9223372036854775808,"c":9007199254740993}`, map[string]any{
			"a": int64(9223372036854775807), "b": int64(-9223372036854775808), "c": int64(9007199254740993),
		}},
		{`{"a":"\ud83d"}`, map[string]any{"a": "\ufffd"}},
		{`{"a":9223372036854775808}`, errTooLarge},
		{`{"a":1e309}`, errNotANumber},
		{`{"a":1,"a":1}`, errTwice},
		{`{"a":1,"\u0061":1}`, errTwice},
		{`{"a":[{"b":{"c":1,"c":2}}]}`, errTwice},
		{`[]`, errNotObject},
		{`"a"`, errNotObject},
		{`nulls`, errNotObject},
		{`{"a":}`, errNotJSON},
		{`{} {}`, errNotJSON},
		{deep(maxNesting + 1), errTooDeep},
		{`{"a":` + strings.Repeat("[", maxNesting) + strings.Repeat("]", maxNesting) + `}`, errTooDeep},
	} {
		got, err := decodeObject([]byte(tt.text))
		if want, isErr := tt.want.(error); isErr {
			if !errors.Is(err, want) {
				t.Errorf("%s: got %v, %v, want %v", tt.text, got, err, want)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %v, %v, want %v", tt.text, got, err, tt.want)
		}
	}
	if _, err := decodeObject([]byte(deep(maxNesting))); err != nil {
		t.Errorf("got %v at the limit", err)
	}
}

// FuzzDecodeObject compares with encoding/json, taken token by token.
func FuzzDecodeObject(f *testing.F) {
	for _, text := range []string{
		`{"a":1}`, ` { "a" : [1, 2.5, -0, 1e5, "x\ud83d\ude00", null, true] } `, `{"a":{"b":1,"b":2}}`, `{"a":18446744073709551615}`,
		`{"":{"":[]}}`, `null`, `[]`, `{"a":1e999}`, "{\"a\":\"\\ud83d\",\"\\udfff\":0,\"\\ud800\":0}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !utf8.Valid(text) {
			return
		}
		got, err := decodeObject(text)
		want, wrong := decodeByTokens(text)
		if (err != nil) != (wrong != nil) {
			t.Fatalf("%q: got error %v, want %v", text, err, wrong)
		}
		if err == nil && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: got %#v, want %#v", text, got, want)
		}
	})
}

func decodeByTokens(text []byte) (map[string]any, error) {
	trimmed := strings.Trim(string(text), " \t\r\n")
	if trimmed == "" || trimmed == "null" {
		return map[string]any{}, nil
	}
	if !json.Valid(text) || trimmed[0] != '{' {
		return nil, errors.New("no object")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := valueByTokens(d, 0)
	if err != nil {
		return nil, err
	}
	return v.(map[string]any), nil
}

func valueByTokens(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Number:
		return numberByTokens(token.String())
	case json.Delim:
		if depth == maxNesting {
			return nil, errors.New("deep")
		}
		if token == '[' {
			list := []any{}
			for d.More() {
				v, err := valueByTokens(d, depth+1)
				if err != nil {
					return nil, err
				}
				list = append(list, v)
			}
			_, err := d.Token()
			return list, err
		}
		object := map[string]any{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			name := fmt.Sprint(key)
			if _, twice := object[name]; twice {
				return nil, errors.New("twice")
			}
			if object[name], err = valueByTokens(d, depth+1); err != nil {
				return nil, err
			}
		}
		_, err := d.Token()
		return object, err
	default:
		return token, nil
	}
}

func numberByTokens(text string) (any, error) {
	if i, ok := new(big.Int).SetString(text, 10); ok {
		if !i.IsInt64() {
			return nil, errors.New("large")
		}
		return i.Int64(), nil
	}
	return strconv.ParseFloat(text, 64)
}
