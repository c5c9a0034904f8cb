package main

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"strings"
)

// The wording of licences, as wording leaves it; NAME stands for somebody's name.
const (
	mitWords = `permission is hereby granted free of charge to any person obtaining a copy of this software and associated
		documentation files the software to deal in the software without restriction including without limitation the rights
		to use copy modify merge publish distribute sublicense and or sell copies of the software and to permit persons to
		whom the software is furnished to do so subject to the following conditions the above copyright notice and this
		permission notice shall be included in all copies or substantial portions of the software the software is provided
		as is without warranty of any kind express or implied including but not limited to the warranties of merchantability
		fitness for a particular purpose and noninfringement in no event shall the authors or copyright holders be liable
		for any claim damages or other liability whether in an action of contract tort or otherwise arising from out of or
		in connection with the software or the use or other dealings in the software`
	bsdHead = `redistribution and use in source and binary forms with or without modification are permitted provided that the
		following conditions are met COUNT redistributions of source code must retain the above copyright notice this list of
		conditions and the following disclaimer COUNT redistributions in binary form must reproduce the above copyright notice
		this list of conditions and the following disclaimer in the documentation and or other materials provided with the
		distribution`
	bsdClause = ` COUNT neither the name of NAME nor the names of its contributors may be used to endorse or promote products
		derived from this software without specific prior written permission`
	bsdTail = ` this software is provided by the copyright holders and contributors as is and any express or implied warranties
		including but not limited to the implied warranties of merchantability and fitness for a particular purpose are
		disclaimed in no event shall the copyright HOLDER or contributors be liable for any direct indirect incidental
		special exemplary or consequential damages including but not limited to procurement of substitute goods or services
		loss of use data or profits or business interruption however caused and on any theory of liability whether in
		contract strict liability or tort including negligence or otherwise arising in any way out of the use of this
		software even if advised of the possibility of such damage`
)

// licences are those that are recognised. A few words of a title may stand before
// them; nothing else may, and nothing after.
var licences = []struct {
	id   string
	text *regexp.Regexp
}{
	{"MIT", exactly(mitWords)},
	{"BSD-2-Clause", exactly(bsdHead + bsdTail)},
	{"BSD-3-Clause", exactly(bsdHead + bsdClause + bsdTail)},
}

func exactly(words string) *regexp.Regexp {
	words = strings.Join(strings.Fields(words), " ")
	words = strings.NewReplacer(
		" COUNT ", " (?:[0-9] )?", "NAME", `(?:\S+ ){0,8}?\S+`, "HOLDER", "(?:holders?|owners?)",
	).Replace(words)
	return regexp.MustCompile(`^(?:\S+ ){0,8}?` + words + `$`)
}

// The Apache licence is long: the sums of its wording stand for it, of what is before
// the end of its terms and of what is after. Some leave the latter away.
const (
	apacheEnd      = " end of terms and conditions"
	apacheTerms    = "37599287c15c2f2ec060c3c3b55bdf69e3bc7a8aeeb9cd57e18800088789538a"
	apacheAppendix = "91de885a95c79c08268ac99e478c95499f3226dde197082b30b5403f09c7b9d0"
)

func sumOf(words string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(words))) }

var (
	// copyrights are the lines that differ, whatever the licence.
	copyrights = regexp.MustCompile(`(?im)^[ \t]*(copyright (\(c\)|©|[0-9]{4}|\[)|all rights reserved).*$`)
	notWords   = regexp.MustCompile(`[^a-z0-9]+`)
)

// wording is a text without what does not change its meaning.
func wording(text string) string {
	text = copyrights.ReplaceAllString(text, "")
	return strings.TrimSpace(notWords.ReplaceAllString(strings.ToLower(text), " "))
}

// recognise returns the SPDX id of a text that is a licence, word by word, and
// nothing else; else "".
func recognise(text string) string {
	words := wording(text)
	for _, l := range licences {
		if l.text.MatchString(words) {
			return l.id
		}
	}
	terms, appendix, _ := strings.Cut(words, apacheEnd)
	if sumOf(terms) == apacheTerms && (appendix == "" || sumOf(appendix) == apacheAppendix) {
		return "Apache-2.0"
	}
	return ""
}
