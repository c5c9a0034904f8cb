package cli

import "testing"

func TestDescribeBlock(t *testing.T) {
	tests := []struct{ name, block, want string }{
		{"text", `{"type":"text","text":"a\nb"}`, "a\nb"},
		{"image", `{"type":"image","mimeType":"image/png","data":"AAAA"}`, "[image, image/png, about 3 bytes; --json has it]"},
		{"link", `{"type":"resource_link","name":"n","uri":"file:///x"}`, "[resource n: file:///x]"},
		{"embedded text", `{"type":"resource","resource":{"uri":"u","text":"body"}}`, "body"},
		{"embedded bytes", `{"type":"resource","resource":{"uri":"u","mimeType":"m","blob":"AA"}}`, "[resource u, m; --json has it]"},
		{"unknown", `{"type":"hologram","x":1}`, `{"type":"hologram","x":1}`},
		{"no object", `3`, `3`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := describeBlock([]byte(tt.block)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
