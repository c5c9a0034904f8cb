package doctor

import (
	"fmt"
	"strings"
)

// files are weir's own: whether they are closed to others, can be written, and are
// of use.
func files(f *Facts) (all []Finding) {
	for _, d := range f.Files.Folders {
		if d.Unwritable != "" {
			all = append(all, Finding{
				Severity: Problem, Subject: d.Path, Text: fmt.Sprintf("%s cannot be kept there: %s", d.Holds, d.Unwritable),
				Remedy: "make room, or give the folder back to yourself: weir goes on without, and forgets",
			})
		}
		if d.Mode&0o077 != 0 {
			all = append(all, Finding{
				Severity: Warning, Subject: d.Path, Text: fmt.Sprintf("others can look into it (mode %04o), where %s are kept", d.Mode, d.Holds),
				Remedy: "weir doctor --fix closes it", Fix: &Fix{Do: Close, Path: d.Path, Mode: 0o700},
			})
		}
	}
	for _, file := range f.Files.Open {
		all = append(all, Finding{
			Severity: Warning, Subject: file.Path, Text: fmt.Sprintf("others can read or write it (mode %04o)", file.Mode),
			Remedy: "weir doctor --fix closes it", Fix: &Fix{Do: Close, Path: file.Path, Mode: 0o600},
		})
	}
	for _, file := range f.Files.Damaged {
		all = append(all, Finding{
			Severity: Warning, Subject: file.Path, Text: file.Why,
			Remedy: "weir doctor --fix removes it: lists are asked for anew", Fix: &Fix{Do: Remove, Path: file.Path},
		})
	}
	for _, file := range f.Files.Left {
		all = append(all, Finding{
			Severity: Note, Subject: file.Path, Text: "it is left of a write that was cut off",
			Remedy: "weir doctor --fix removes it", Fix: &Fix{Do: Remove, Path: file.Path},
		})
	}
	for _, file := range f.Files.Unused {
		all = append(all, Finding{
			Severity: Note, Subject: file.Path, Text: "it has lists of a server that is not configured (any more), and no weir has used it for days",
			Remedy: "weir doctor --fix removes it", Fix: &Fix{Do: Remove, Path: file.Path},
		})
	}
	for _, name := range f.Files.Locked {
		all = append(all, Finding{
			Severity: Warning, Subject: name, Text: "another process holds its lock, so others wait: locks end with their process, so one of them hangs or is stopped",
			Remedy: "weir servers --live lists the weirs that run; restart the host of one that does not answer",
		})
	}
	if len(all) == 0 {
		return []Finding{{Severity: OK, Text: "closed to others and writable" + sizes(f.Files.Folders)}}
	}
	return all
}

// inBytes writes a size in the unit in which it is short.
func inBytes(size int64) string {
	if size < 1<<20 {
		return fmt.Sprintf("%d KiB", (size+1<<10-1)>>10)
	}
	return fmt.Sprintf("%.1f MiB", float64(size)/(1<<20))
}

// sizes is what the folders hold, in words.
func sizes(folders []Folder) string {
	var parts []string
	for _, d := range folders {
		if d.Count > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", d.Holds, inBytes(d.Size)))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
