package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version is weir's own, as hosts and servers see it.
var version = versionOf(released, debug.ReadBuildInfo)

// released is set by the linker, which scripts/release tells to: "release v1.2.3". A
// binary is searched for these words, so that none with other ones goes out.
var released string

const (
	releasedMark = "release v"
	unreleased   = "0.1.0" // the next release, and what is built on the way to it
)

// versionOf is the version of a release; else that by which the binary was fetched as
// a module ("go install …@version"); else it was built from a work tree.
func versionOf(released string, readBuildInfo func() (*debug.BuildInfo, bool)) string {
	if version, ok := strings.CutPrefix(released, releasedMark); ok {
		return version
	}
	// What is built from a work tree has a version made up of its commit, but no sum.
	if info, ok := readBuildInfo(); ok && info.Main.Sum != "" {
		return strings.TrimPrefix(info.Main.Version, "v")
	}
	return unreleased
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long:  "Print weir's version, the commit it was built from, and the Go release.",
		Args:  exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintf(a.Stdout, "weir %s%s %s %s/%s\n", version, commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}

// commit returns " (…)" with the commit of the build, or "".
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return fmt.Sprintf(" (%.12s)", s.Value)
		}
	}
	return ""
}
