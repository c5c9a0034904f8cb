package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/weir-mcp/weir/internal/formats"
)

// callFrom carries out the calls that a model has asked for, one after the other,
// and prints the answers as its API wants them back. The model gets to know of
// what fails, so that an answer is printed for each call.
func (a *app) callFrom(ctx context.Context, from string, asJSON bool, words []string) error {
	api, ok := formats.Parse(from)
	switch {
	case !ok:
		return usageError("unknown API %q (want openai, openai-responses, anthropic or gemini)", from)
	case asJSON:
		return usageError("--json and --from contradict each other: what is printed is as %s wants it", api)
	case len(words) > 1:
		return usageError("unexpected argument %q: with --from, the names and arguments are in the model's call", words[1])
	}
	text, err := a.modelText(words)
	if err != nil {
		return err
	}
	calls, several, err := api.ReadCalls(text)
	if err != nil {
		return usageError("reading the model's call: %w (want what %s answered, as one argument or on stdin)", err, api)
	}
	return a.asking(ctx, func(g *gateway) error {
		m, err := newModelCalls(ctx, a, g, api)
		if err != nil {
			return err
		}
		answers, err := m.answers(ctx, calls)
		if err != nil {
			return err
		}
		a.printAnswers(answers, several)
		if m.failed > 0 {
			return &exitError{exitFailed, fmt.Errorf("%s failed; the model is told", plural(m.failed, "call", "calls"))}
		}
		return nil
	})
}

// modelText is what a model said: the one word there is, or stdin.
func (a *app) modelText(words []string) ([]byte, error) {
	if len(words) == 1 && words[0] != "-" {
		return []byte(words[0]), nil
	}
	text, err := io.ReadAll(io.LimitReader(a.Stdin, hostMessageLimit))
	if err != nil {
		return nil, fmt.Errorf("reading the model's call from stdin: %w", err)
	}
	return text, nil
}

// modelCalls carries out calls by the names and schemas that a model was told.
type modelCalls struct {
	app    *app
	host   *host
	api    formats.API
	listed []listedTool
	index  map[string]int // of listed, by the name in the API
	failed int
}

func newModelCalls(ctx context.Context, a *app, g *gateway, api formats.API) (*modelCalls, error) {
	listed, err := g.host.listTools(ctx)
	if err != nil {
		return nil, err
	}
	m := &modelCalls{app: a, host: g.host, api: api, listed: listed, index: make(map[string]int)}
	for i, name := range formats.Names(api, formatTools(listed)) {
		m.index[name] = i
	}
	return m, nil
}

func (m *modelCalls) answers(ctx context.Context, calls []formats.Call) ([][]byte, error) {
	answers := make([][]byte, len(calls))
	for i, c := range calls {
		answer, err := m.answer(ctx, c)
		if err != nil {
			return nil, err
		}
		if answer.Failed {
			m.failed++
		}
		answers[i] = m.api.WriteAnswer(c, answer)
	}
	return answers, nil
}

// answer carries out one call. A name that no tool has is tried all the same, as
// it would be for a host: it may be an alias.
func (m *modelCalls) answer(ctx context.Context, c formats.Call) (formats.Answer, error) {
	if c.Problem != nil {
		return formats.Failure(c.Problem.Error()), nil
	}
	name, arguments := c.Name, c.Arguments
	if i, ok := m.index[name]; ok {
		name = m.listed[i].Name
		if m.api.OptionalAsNull() {
			arguments = formats.WithoutNulls(m.listed[i].InputSchema, arguments)
		}
	}
	w := m.app.wait("calling " + name)
	defer w.stop()
	result, err := m.host.callTool(ctx, name, arguments, func(params []byte) { w.set(progressText(name, params)) })
	if refusal, refused := errors.AsType[*replyError](err); refused {
		return formats.Failure(refusal.Message), nil
	}
	if err != nil {
		return formats.Answer{}, err
	}
	return formats.Answer{Content: result.Content, Structured: result.Structured, Failed: result.IsError}, nil
}

// printAnswers writes one answer, or an array of them if the calls came in one.
func (a *app) printAnswers(answers [][]byte, several bool) {
	text := answers[0]
	if several {
		text = bytes.Join([][]byte{[]byte("["), bytes.Join(answers, []byte(",\n")), []byte("]")}, []byte("\n"))
	}
	printLine(a.Stdout, string(text))
}
