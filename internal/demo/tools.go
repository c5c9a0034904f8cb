package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A tool is a definition and what it does. An error of run becomes an isError
// result: something that a model can read and put right.
type tool struct {
	definition mcp.Tool
	takesTime  bool
	run        func(ctx context.Context, c *call) (*mcp.CallToolResult, error)
}

// Limits of what the tools may be asked for.
const (
	maxSlow = 10 * time.Minute
	maxBig  = 64 << 20 // bytes
)

func demoTools() []tool {
	harmless := mcp.WithToolAnnotation(mcp.ToolAnnotation{
		ReadOnlyHint:    mcp.ToBoolPtr(true),
		DestructiveHint: mcp.ToBoolPtr(false),
		IdempotentHint:  mcp.ToBoolPtr(true),
		OpenWorldHint:   mcp.ToBoolPtr(false),
	})
	return []tool{
		{mcp.NewTool("echo", harmless,
			mcp.WithDescription("Returns the text it is given."),
			mcp.WithString("text", mcp.Required(), mcp.Description("what to return"))), false, echo},
		{mcp.NewTool("add", harmless,
			mcp.WithDescription("Adds two numbers."),
			mcp.WithNumber("a", mcp.Required()), mcp.WithNumber("b", mcp.Required()),
			mcp.WithRawOutputSchema(json.RawMessage(
				`{"type":"object","properties":{"sum":{"type":"number"}},"required":["sum"]}`))), false, add},
		{mcp.NewTool("now", harmless,
			mcp.WithDescription("Tells the time."),
			mcp.WithString("zone", mcp.Description("a time zone such as Europe/Paris; default UTC"))), false, now},
		{mcp.NewTool("slow", harmless,
			mcp.WithDescription("Takes its time, reports progress on the way, and can be cancelled."),
			mcp.WithNumber("seconds", mcp.Description("how long; default 2")),
			mcp.WithInteger("steps", mcp.Description("how many progress reports; default 4"))), true, slow},
		{mcp.NewTool("fail", harmless,
			mcp.WithDescription("Always fails, with a result that has isError set."),
			mcp.WithString("message", mcp.Description("the text of the failure"))), false, fail},
		{mcp.NewTool("big", harmless,
			mcp.WithDescription("Returns a text of the given size."),
			mcp.WithInteger("bytes", mcp.Required(), mcp.Description("its size"))), false, big},
		{mcp.NewTool("delete_everything",
			mcp.WithDescription("Claims to delete everything and deletes nothing: there to be denied by a policy."),
			mcp.WithDestructiveHintAnnotation(true)), false, deleteEverything},
	}
}

func echo(_ context.Context, c *call) (*mcp.CallToolResult, error) {
	text, err := c.text("text")
	if err != nil {
		return nil, err
	}
	return mcp.NewToolResultText(text), nil
}

func add(_ context.Context, c *call) (*mcp.CallToolResult, error) {
	a, err := c.number("a")
	if err != nil {
		return nil, err
	}
	b, err := c.number("b")
	if err != nil {
		return nil, err
	}
	sum := a + b
	if math.IsInf(sum, 0) {
		return nil, errors.New("the sum is too large")
	}
	text := strconv.FormatFloat(sum, 'g', -1, 64)
	return mcp.NewToolResultStructured(map[string]any{"sum": sum}, text), nil
}

func now(_ context.Context, c *call) (*mcp.CallToolResult, error) {
	name, err := c.textOr("zone", "UTC")
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("unknown time zone %q", name)
	}
	return mcp.NewToolResultText(time.Now().In(zone).Format(time.RFC3339)), nil
}

func slow(ctx context.Context, c *call) (*mcp.CallToolResult, error) {
	seconds, err := c.numberOr("seconds", 2)
	if err != nil {
		return nil, err
	}
	steps, err := c.numberOr("steps", 4)
	if err != nil {
		return nil, err
	}
	if seconds < 0 || seconds > maxSlow.Seconds() || steps < 1 || steps > 1000 {
		return nil, fmt.Errorf("want 0 to %v seconds in 1 to 1000 steps", maxSlow.Seconds())
	}
	steps = math.Floor(steps)
	ticker := time.NewTicker(max(1, time.Duration(seconds/steps*float64(time.Second))))
	defer ticker.Stop()
	for step := range int(steps) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-ticker.C:
			c.request.report(step+1, int(steps))
		}
	}
	return mcp.NewToolResultText(fmt.Sprintf("done after %v seconds", seconds)), nil
}

func fail(_ context.Context, c *call) (*mcp.CallToolResult, error) {
	message, err := c.textOr("message", "this tool always fails")
	if err != nil {
		return nil, err
	}
	return nil, errors.New(message)
}

func big(_ context.Context, c *call) (*mcp.CallToolResult, error) {
	size, err := c.number("bytes")
	if err != nil {
		return nil, err
	}
	if size < 0 || size > maxBig {
		return nil, fmt.Errorf("want 0 to %d bytes", maxBig)
	}
	const line = "All that comes from upstream passes over one edge, at one level.\n"
	n := int(size)
	return mcp.NewToolResultText(strings.Repeat(line, n/len(line)+1)[:n]), nil
}

func deleteEverything(context.Context, *call) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText("nothing was deleted, but it could have been"), nil
}

// A call is what a tool is given.
type call struct {
	arguments []jsonrpc.Member
	request   *request
}

func (c *call) text(key string) (string, error) {
	text, err := jsonrpc.String(jsonrpc.Find(c.arguments, key))
	if err != nil {
		return "", fmt.Errorf("argument %q must be a string", key)
	}
	return text, nil
}

func (c *call) textOr(key, otherwise string) (string, error) {
	if jsonrpc.Find(c.arguments, key) == nil {
		return otherwise, nil
	}
	return c.text(key)
}

func (c *call) number(key string) (float64, error) {
	raw := jsonrpc.Find(c.arguments, key)
	number, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return 0, fmt.Errorf("argument %q must be a number", key)
	}
	return number, nil
}

func (c *call) numberOr(key string, otherwise float64) (float64, error) {
	if jsonrpc.Find(c.arguments, key) == nil {
		return otherwise, nil
	}
	return c.number(key)
}

// report sends a progress notification if the client asked for them.
func (r *request) report(step, steps int) {
	if r.progress == nil {
		return
	}
	r.send(fmt.Appendf(nil,
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":%d,"total":%d}}`,
		r.progress, step, steps))
}
