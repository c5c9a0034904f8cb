package policy

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// maxCost bounds the work of one evaluation, in units of CEL's own: about one
// for each operation, and for each ten characters that a function looks at.
const maxCost = 1_000_000

// maxRegexp bounds a regular expression that is made from arguments, in
// instructions of its program.
const maxRegexp = 2_000

// The variables of conditions.
const (
	varArguments = "args"
	varTool      = "tool"
	varServer    = "server"
	varPrincipal = "principal"
	varClient    = "client"
)

// members are those that the variables have which are not the caller's to fill.
// The annotations of a tool may have more, which need the form with brackets.
var members = map[string][]string{
	varTool:                  {"name", "title", "annotations"},
	varTool + ".annotations": {"title", "readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"},
	varServer:                {"name", "tags"},
	varPrincipal:             {"key", "team", "org", "profile"},
	varClient:                {"name", "version"},
}

// A condition is a rule's when, compiled. It is safe for concurrent use.
type condition struct {
	text    string
	program cel.Program
	paths   []path // of members that are looked at and may be missing
	uses
}

// uses is what a condition looks at.
type uses struct {
	arguments bool
	client    bool
	claims    bool // what a server says of its tools: all of tool but its name
	something bool // some variable
}

// A path is a member in a condition as it is written there.
type path struct {
	keys    []string // the variable first
	written string   // args.sql, or args["sql"]
	test    string   // has(args.sql), or "sql" in args
}

// environment is what conditions are compiled in. Building it takes a while, so
// that a policy without conditions has none.
func environment() (*cel.Env, error) {
	texts := cel.MapType(cel.StringType, cel.StringType)
	values := cel.MapType(cel.StringType, cel.DynType)
	return cel.NewEnv(
		cel.Variable(varArguments, values),
		cel.Variable(varTool, values),
		cel.Variable(varServer, values),
		cel.Variable(varPrincipal, texts),
		cel.Variable(varClient, texts),
		cel.OptionalTypes(),
		cel.ASTValidators(
			cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals(),
		),
		cel.RegexProgramSizeLimit(maxRegexp),
	)
}

// A conditionError is one thing that is wrong with a condition. Word is what is
// not known where Known are.
type conditionError struct {
	text  string
	word  string
	known []string
}

// compileCondition compiles a rule's when.
func compileCondition(env *cel.Env, text string) (*condition, []conditionError) {
	if strings.TrimSpace(text) == "" {
		return nil, []conditionError{{text: "it is empty"}}
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, wrongWith(text, issues)
	}
	if out := checked.OutputType(); !out.IsExactType(cel.BoolType) && !out.IsExactType(cel.DynType) {
		return nil, []conditionError{{text: fmt.Sprintf("its result is of type %s, want true or false", out)}}
	}
	c := &condition{text: text}
	if problem := c.analyse(checked.NativeRep()); problem != nil {
		return nil, []conditionError{*problem}
	}
	var err error
	if c.program, err = env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost)); err != nil {
		return nil, []conditionError{{text: err.Error()}}
	}
	return c, nil
}

// wrongWith is what CEL says, one line for each thing.
func wrongWith(text string, issues *cel.Issues) (problems []conditionError) {
	lines := strings.Count(text, "\n")
	for _, e := range issues.Errors() {
		where := fmt.Sprintf("column %d", e.Location.Column()+1)
		if lines > 0 {
			where = fmt.Sprintf("line %d, %s", e.Location.Line(), where)
		}
		message := strings.ReplaceAll(e.Message, "\n", " ")
		message = strings.ReplaceAll(message, " (in container '')", "")
		problems = append(problems, conditionError{text: fmt.Sprintf("%s (%s)", message, where)})
	}
	return problems
}

// analyse finds out what the condition looks at. A local variable that hides one
// of the five is an error: then a name says what it stands for.
func (c *condition) analyse(checked *ast.AST) (problem *conditionError) {
	fail := func(e conditionError) {
		if problem == nil {
			problem = &e
		}
	}
	var visit func(e ast.NavigableExpr, under ast.NavigableExpr)
	visit = func(e, under ast.NavigableExpr) {
		if e.Kind() == ast.IdentKind {
			c.use(strings.TrimPrefix(e.AsIdent(), "."), under)
		}
		if name := hidden(e); name != "" {
			fail(conditionError{text: fmt.Sprintf("the local variable %q hides a variable of conditions; choose another name", name)})
		}
		if unknown := unknownMember(e); unknown != nil {
			fail(*unknown)
		}
		if p, ok := pathOf(e); ok && !isTest(e) {
			c.paths = append(c.paths, p)
		}
		for _, child := range e.Children() {
			visit(child, e)
		}
	}
	visit(ast.NavigateAST(checked), nil)
	return problem
}

// use notes a variable, and what is around it.
func (c *condition) use(name string, under ast.NavigableExpr) {
	switch name {
	case varArguments:
		c.arguments = true
	case varClient:
		c.client = true
	case varTool:
		member, isMember := memberOf(under)
		c.claims = c.claims || !isMember || member != "name"
	case varServer, varPrincipal:
	default:
		return
	}
	c.something = true
}

// hidden returns the variable of conditions that a loop has as its own; "" if it
// has none.
func hidden(e ast.NavigableExpr) string {
	if e.Kind() != ast.ComprehensionKind {
		return ""
	}
	loop := e.AsComprehension()
	for _, name := range []string{loop.IterVar(), loop.IterVar2(), loop.AccuVar()} {
		if isVariable(name) {
			return name
		}
	}
	return ""
}

func isVariable(name string) bool { return name == varArguments || members[name] != nil }

// unknownMember finds a member written with a dot that the variable never has.
func unknownMember(e ast.NavigableExpr) *conditionError {
	if e.Kind() != ast.SelectKind {
		return nil
	}
	owner, ok := pathOf(e.Children()[0])
	if !ok {
		return nil
	}
	name, known := e.AsSelect().FieldName(), members[strings.Join(owner.keys, ".")]
	if known == nil || slices.Contains(known, name) {
		return nil
	}
	return &conditionError{text: fmt.Sprintf("%s has no member %q", owner.written, name), word: name, known: known}
}

// pathOf returns the path that an expression is, if it is one: a variable of
// conditions, or a member of one, given by a name or by a literal in brackets.
func pathOf(e ast.NavigableExpr) (path, bool) {
	if e.Kind() == ast.IdentKind {
		name := strings.TrimPrefix(e.AsIdent(), ".")
		return path{keys: []string{name}, written: name}, isVariable(name)
	}
	name, isMember := memberOf(e)
	if !isMember {
		return path{}, false
	}
	owner, ok := pathOf(e.Children()[0])
	if !ok {
		return path{}, false
	}
	p := path{keys: append(slices.Clip(owner.keys), name)}
	if e.Kind() == ast.SelectKind {
		p.written = owner.written + "." + name
		p.test = "has(" + p.written + ")"
	} else {
		p.written = fmt.Sprintf("%s[%q]", owner.written, name)
		p.test = fmt.Sprintf("%q in %s", name, owner.written)
	}
	return p, true
}

// isTest reports whether an expression is what stands in a has().
func isTest(e ast.NavigableExpr) bool {
	return e.Kind() == ast.SelectKind && e.AsSelect().IsTestOnly()
}

// memberOf returns the member that an expression takes of another one: .name or
// ["name"].
func memberOf(e ast.NavigableExpr) (string, bool) {
	if e == nil {
		return "", false
	}
	switch e.Kind() {
	case ast.SelectKind:
		return e.AsSelect().FieldName(), true
	case ast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != operators.Index || call.Args()[1].Kind() != ast.LiteralKind {
			return "", false
		}
		name, isString := call.Args()[1].AsLiteral().Value().(string)
		return name, isString
	default:
		return "", false
	}
}
