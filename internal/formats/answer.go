package formats

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// An Answer is what a tool gave back, or why there is nothing.
type Answer struct {
	Content    [][]byte // raw content blocks
	Structured []byte   // raw; shown if there is no Content
	Failed     bool
}

// Failure is the answer to a call that did not come about, in words for the model.
func Failure(text string) Answer {
	return Answer{Failed: true, Content: [][]byte{textBlock("text", quote(text))}}
}

// A piece is a part of an answer as most APIs know it: a text, or bytes.
type piece struct {
	text []byte // a raw JSON string; nil for bytes
	kind string // of bytes, in words
	mime string
	data []byte // a raw JSON string, base64
}

// WriteAnswer returns an answer as the API wants it back. What the API has no
// place for is said in its stead.
func (a API) WriteAnswer(c Call, r Answer) []byte {
	pieces := r.pieces()
	for i, p := range pieces {
		if p.text == nil && (!isString(p.data) || !a.takesBytes(p.mime, r.Failed)) {
			pieces[i] = piece{text: quote(p.omission())}
		}
	}
	switch a {
	case OpenAI:
		return write(
			member("role", quote("tool")),
			member("tool_call_id", c.ID),
			member("content", a.content(flagged(pieces, r.Failed))),
		)
	case OpenAIResponses:
		return write(
			member("type", quote("function_call_output")),
			member("call_id", c.ID),
			member("output", a.content(flagged(pieces, r.Failed))),
		)
	case Anthropic:
		var failed []byte
		if r.Failed {
			failed = truth(true)
		}
		return write(
			member("type", quote("tool_result")),
			member("tool_use_id", c.ID),
			member("content", a.content(pieces)),
			member("is_error", failed),
		)
	case Gemini:
	}
	return write(member("functionResponse", geminiResponse(c, pieces, r.Failed)))
}

// pieces are the parts of an answer, none of them an empty text.
func (r Answer) pieces() []piece {
	var pieces []piece
	for _, block := range r.Content {
		if p := pieceOf(object(block), block); string(p.text) != `""` {
			pieces = append(pieces, p)
		}
	}
	if len(r.Content) == 0 && r.Structured != nil {
		pieces = append(pieces, piece{text: quote(string(r.Structured))})
	}
	return pieces
}

func pieceOf(m node, raw []byte) piece {
	switch kind := text(m.find("type")); kind {
	case "text":
		return textPiece(m.find("text"))
	case "image", "audio":
		return piece{kind: kind, mime: text(m.find("mimeType")), data: m.find("data")}
	case "resource":
		r := object(m.find("resource"))
		if r.has("text") {
			return textPiece(r.find("text"))
		}
		return piece{kind: "resource " + text(r.find("uri")), mime: text(r.find("mimeType")), data: r.find("blob")}
	case "resource_link":
		return piece{text: quote(strings.TrimSpace(fmt.Sprintf("[resource %s: %s]\n%s",
			text(m.find("name")), text(m.find("uri")), text(m.find("description")))))}
	}
	return piece{text: quote(string(raw))}
}

func textPiece(raw []byte) piece {
	if !isString(raw) {
		raw = []byte(`""`)
	}
	return piece{text: raw}
}

// omission says what is not there.
func (p piece) omission() string {
	size := base64.StdEncoding.DecodedLen(max(0, len(p.data)-2))
	return fmt.Sprintf("[%s, %s, about %d bytes: cannot be shown here]", p.kind, p.mime, size)
}

// imageTypes are the kinds of images that all APIs know that know any.
var imageTypes = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}

// takesBytes reports whether an answer can have bytes of a type.
func (a API) takesBytes(mime string, failed bool) bool {
	const pdf = "application/pdf"
	switch a {
	case OpenAI:
		return false
	case OpenAIResponses:
		return slices.Contains(imageTypes, mime)
	case Anthropic:
		return !failed && (slices.Contains(imageTypes, mime) || mime == pdf)
	case Gemini:
		return slices.Contains(imageTypes, mime) && mime != "image/gif" || mime == pdf
	}
	return false
}

// flagged says of a failure that it is one, for APIs that have no member for it.
func flagged(pieces []piece, failed bool) []piece {
	if !failed {
		return pieces
	}
	return append([]piece{{text: quote("The tool call failed.")}}, pieces...)
}

// content returns a text if there is no more than one, and else an array.
func (a API) content(pieces []piece) []byte {
	if len(pieces) == 0 {
		return []byte(`""`)
	}
	if len(pieces) == 1 && pieces[0].text != nil {
		return pieces[0].text
	}
	blocks := make([][]byte, len(pieces))
	for i, p := range pieces {
		blocks[i] = a.block(p)
	}
	return arrayOf(blocks)
}

func (a API) block(p piece) []byte {
	switch {
	case p.text != nil && a == OpenAIResponses:
		return textBlock("input_text", p.text)
	case p.text != nil:
		return textBlock("text", p.text)
	case a == OpenAIResponses:
		return write(member("type", quote("input_image")), member("image_url", quote("data:"+p.mime+";base64,"+text(p.data))))
	}
	kind := "image"
	if !strings.HasPrefix(p.mime, "image/") {
		kind = "document"
	}
	source := write(member("type", quote("base64")), member("media_type", quote(p.mime)), member("data", p.data))
	return write(member("type", quote(kind)), member("source", source))
}

func geminiResponse(c Call, pieces []piece, failed bool) []byte {
	var texts []string
	var parts [][]byte
	for _, p := range pieces {
		if p.text != nil {
			texts = append(texts, text(p.text))
		} else {
			parts = append(parts, write(member("inlineData", write(member("mimeType", quote(p.mime)), member("data", p.data)))))
		}
	}
	key := "output"
	if failed {
		key = "error"
	}
	var more []byte
	if parts != nil {
		more = arrayOf(parts)
	}
	return write(
		member("id", c.ID),
		member("name", quote(c.Name)),
		member("response", write(member(key, quote(strings.Join(texts, "\n"))))),
		member("parts", more),
	)
}

func textBlock(kind string, text []byte) []byte {
	return write(member("type", quote(kind)), member("text", text))
}
