package main

import (
	"os"
	"path/filepath"
)

// This file is what the race detector finds in any weir of a round. It writes to
// files: of what a weir says that stands behind another, that one shows a part only.

// raceFiles is what the names of these files begin with.
const raceFiles = "race"

// detector is the GORACE of every weir. Without its first word a process would
// sleep for a second at its end.
func (w *world) detector() string {
	return "atexit_sleep_ms=0 log_path=" + filepath.Join(w.dir, raceFiles)
}

// seeRaces looks for what was found, when all weirs have ended.
func (w *world) seeRaces() error {
	files, err := filepath.Glob(filepath.Join(w.dir, raceFiles+".*"))
	if err != nil {
		return err
	}
	for _, file := range files {
		report, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		w.journal.violated("world", "a weir has a data race: %.12000s", report)
	}
	return nil
}
