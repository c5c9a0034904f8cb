package main

import (
	"bytes"
	"image/png"
	"testing"
)

func TestIcon(t *testing.T) {
	data, err := icon()
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if b := picture.Bounds(); b.Dx() != iconSize || b.Dy() != iconSize {
		t.Errorf("got %v", b)
	}
	if _, _, _, a := picture.At(2, 2).RGBA(); a != 0 {
		t.Errorf("the corner is not clear")
	}
	if again, err := icon(); err != nil || !bytes.Equal(data, again) {
		t.Errorf("it is drawn otherwise each time (%v)", err)
	}
}
