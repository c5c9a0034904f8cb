package main

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// realCache is where weirs keep their lists.
const realCache = "real-cache"

// damageFiles harms what weir keeps on the disk: what is damaged, gone, from
// another time or not to be written costs lists, never a call.
func (p *player) damageFiles() error {
	harms := []struct {
		name string
		do   func(file string) error
	}{
		{"removes", os.Remove},
		{"empties", func(file string) error { return os.Truncate(file, 0) }},
		{"cuts", halve},
		{"scribbles in", scribble},
		{"puts into the future", func(file string) error { return moveTime(file, 100*24*time.Hour) }},
		{"puts into the past", func(file string) error { return moveTime(file, -100*24*time.Hour) }},
	}
	h := pick(p.random, harms)
	part := p.random.IntN(3)
	p.w.journal.note(p.name, "%s what is kept (%d)", h.name, part)
	number := 0
	return filepath.WalkDir(filepath.Join(p.w.dir, realCache), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil // somebody has replaced it meanwhile
		}
		if number++; number%3 == part {
			_ = h.do(path) // likewise
		}
		return nil
	})
}

// shutDisk has weir find no folder for its lists until all is healed: it can
// neither read nor write what it keeps, nor make a place for it.
func (p *player) shutDisk() error {
	p.w.journal.note(p.name, "shuts the folder of what is kept")
	return p.w.keepIn("nowhere")
}

// fillDisk leaves no room for what weirs keep, until all is healed.
func (p *player) fillDisk() error {
	p.w.journal.note(p.name, "fills the disks (%d)", len(p.w.disks))
	p.w.disk.Lock()
	defer p.w.disk.Unlock()
	for _, disk := range p.w.disks {
		if err := disk.Fill(); err != nil {
			return err
		}
	}
	return nil
}

// keepIn has all weirs keep their lists in another place from now on: the folder
// that they know is a link. Nothing can be kept in "nowhere", which is a file.
func (w *world) keepIn(place string) error {
	w.disk.Lock()
	defer w.disk.Unlock()
	link := filepath.Join(w.dir, "link")
	if err := os.Symlink(filepath.Join(w.dir, place), link); err != nil {
		return err
	}
	return os.Rename(link, w.folders.Cache)
}

func halve(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	return os.Truncate(file, info.Size()/2)
}

func scribble(file string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt([]byte("\x00\xffscribble"), 40)
	return err
}

var (
	storedTime = regexp.MustCompile(`"(fetched|failureAt)":\d+`)
	firstLine  = regexp.MustCompile(`^(weir lists \d+ )[0-9a-f]{8}\n`)
)

// moveTime makes a file of lists one that was stored at another time, whole as it
// is. To weir the clock has jumped then: its own cannot be reached, for a program
// that is linked without a C library asks the system itself.
func moveTime(file string, by time.Duration) error {
	when := time.Now().Add(by)
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if head := firstLine.FindSubmatch(text); head != nil {
		body := storedTime.ReplaceAll(text[len(head[0]):], fmt.Appendf(nil, `"$1":%d`, when.UnixMilli()))
		text = append(fmt.Appendf(bytes.Clone(head[1]), "%08x\n", crc32.ChecksumIEEE(body)), body...)
		if err := os.WriteFile(file+".moved", text, 0o600); err != nil {
			return err
		}
		if err := os.Rename(file+".moved", file); err != nil {
			return err
		}
	}
	return os.Chtimes(file, when, when)
}
