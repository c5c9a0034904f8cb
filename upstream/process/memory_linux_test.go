package process

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFileMappings(t *testing.T) {
	const smaps = `00400000-00401000 r-xp 00000000 08:01 1234                       /usr/bin/weir
Rss:                   4 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
00401000-00402000 r--p 00001000 08:01 1234                       /usr/bin/a name with spaces
Anonymous:             0 kB
00402000-00403000 r--p 00002000 08:01 1234                       /usr/bin/weir
Anonymous:             4 kB
00403000-00404000 rw-p 00003000 08:01 1234                       /usr/bin/weir
Anonymous:             0 kB
00404000-00405000 r--p 00000000 00:00 0
Anonymous:             0 kB
00405000-00406000 r--p 00000000 00:00 0                          [vvar]
Anonymous:             0 kB
junk-junk r--p 00000000 00:00 0                          /usr/bin/weir
Anonymous:             0 kB
`
	want := []mapping{{0x400000, 0x401000}, {0x401000, 0x402000}}
	got := fileMappings(strings.NewReader(smaps))
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(mapping{})); diff != "" {
		t.Errorf("mappings (-want +got)\n%s", diff)
	}
}
