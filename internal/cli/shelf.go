package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A shelf is where the bytes go that servers answer with: files in one folder,
// named by what was asked for, not by a server. Nothing that is there already is
// touched.
type shelf struct {
	dir  string // "" is the working folder
	stem string
}

// maxShelved is how many files of one name a folder may hold.
const maxShelved = 1000

// put saves data in a new file, which only the user can read, and returns its path.
func (s shelf) put(mimeType string, data []byte) (string, error) {
	name := "weir-" + safeName(s.stem)
	for n := 1; n <= maxShelved; n++ {
		path := name + extensionOf(mimeType)
		if n > 1 {
			path = fmt.Sprintf("%s-%d%s", name, n, extensionOf(mimeType))
		}
		path = filepath.Join(s.dir, path)
		err := writeNew(path, data)
		if !errors.Is(err, fs.ErrExist) {
			return path, err
		}
	}
	return "", fmt.Errorf("there are %d files %s… already: clear some away, or name another folder", maxShelved, name)
}

// writeNew writes a file that must not be there yet. One that could not be written
// whole is taken away again.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(path) // it is ours, and of no use
	}
	return err
}

// maxStem is how much of a name a file keeps, in bytes.
const maxStem = 60

// safeName makes a part of a file's name of a text: every system takes it.
func safeName(text string) string {
	name := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '_'
	}, text)
	name = strings.Trim(name[:min(len(name), maxStem)], "._-")
	if name == "" {
		return "answer"
	}
	return name
}

// extensionOf is how the name of a file ends that has bytes of a type. The table
// is weir's own: that of a system differs, and a server must not choose what
// opening a file starts.
func extensionOf(mimeType string) string {
	kind, _, _ := strings.Cut(mimeType, ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "image/png":
		return ".png"
	case "image/jpeg", "image/jpg":
		return ".jpg"
	case "image/gif":
		return ".gif"
	case "image/webp":
		return ".webp"
	case "image/avif":
		return ".avif"
	case "image/bmp":
		return ".bmp"
	case "image/tiff":
		return ".tiff"
	case "image/svg+xml":
		return ".svg"
	case "audio/wav", "audio/x-wav", "audio/wave":
		return ".wav"
	case "audio/mpeg", "audio/mp3":
		return ".mp3"
	case "audio/ogg":
		return ".ogg"
	case "audio/flac":
		return ".flac"
	case "audio/aac":
		return ".aac"
	case "audio/mp4":
		return ".m4a"
	case "audio/webm", "video/webm":
		return ".webm"
	case "video/mp4":
		return ".mp4"
	case "application/pdf":
		return ".pdf"
	case "application/zip":
		return ".zip"
	case "application/gzip":
		return ".gz"
	case "application/json":
		return ".json"
	case "text/plain":
		return ".txt"
	case "text/csv":
		return ".csv"
	case "text/markdown":
		return ".md"
	}
	return ".bin"
}
