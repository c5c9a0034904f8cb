package cli

import (
	"io"

	"github.com/weir-mcp/weir/aggregator/redact"
)

// A secretWriter takes secrets out of a log, which shows what servers say on
// their stderr and in errors.
type secretWriter struct {
	out io.Writer
	*redact.Redactor
}

func withoutSecrets(out io.Writer) io.Writer {
	all, err := redact.New(redact.All)
	if err != nil {
		panic(err) // it is known
	}
	return secretWriter{out, all}
}

// Write implements io.Writer. Each write is one event, a line of JSON.
func (w secretWriter) Write(line []byte) (int, error) {
	if _, err := w.out.Write(w.JSON(make([]byte, 0, len(line)), line)); err != nil {
		return 0, err
	}
	return len(line), nil
}
