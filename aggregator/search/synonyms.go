package search

import (
	"strings"
	"sync"
)

// silent are words that say nothing of what somebody wants.
var silent = sync.OnceValue(func() map[string]bool {
	return setOf(`a about all am an and any are as at be been but by can could did do does for from has have how i if
	in into is it its just let like may me my need no not of on one or our out please should so some than that the
	their them then there these they this those to us want was we were what when where whether which while who will with
	would you your`)
})

// alikeLines are words that stand for each other in what people want of tools.
// A word may stand in several lines.
const alikeLines = `
	get fetch read retrieve show view obtain give tell see display open load
	list show enumerate browse
	search find look query lookup locate discover seek grep hunt
	create make add new insert build generate open start register set
	delete remove erase drop destroy discard purge clear rid clean trash
	update edit change modify alter set rename patch adjust fix rewrite replace
	write save store put persist append
	send post deliver submit publish share notify message write reply
	run execute start launch trigger invoke evaluate
	stop cancel abort kill end terminate close halt
	move rename relocate transfer
	copy duplicate clone fork
	convert transform translate turn
	download fetch pull export save
	upload import push attach
	compare diff difference changed
	count number total many
	describe detail info information explain metadata property
	folder directory dir path
	file document
	picture image photo screenshot figure
	screenshot capture snapshot picture
	repository repo project codebase
	issue ticket bug task
	pull merge pr
	commit revision change history
	message chat dm text comment mail
	mail email inbox
	user person people member account profile colleague
	channel room conversation
	table spreadsheet sheet
	database db sql schema
	column field
	row record entry
	website site page url web link
	page tab document
	internet web online
	time clock hour
	date day calendar
	event meeting appointment
	task todo reminder
	memory remember note recall knowledge
	note memo jot
	key secret password credential token
	weather forecast temperature rain
	place location map address
	route direction navigate way distance
	price cost quote
	error failure crash exception problem
	log output trace
	test check verify validate
	click press tap
	type fill enter input
	scroll swipe
	wait sleep pause delay
	choose select pick
	size large big
	old previous earlier past history
	latest newest recent last
	container docker pod
	summary summarize overview digest
	think reason thought
	graph network relation
	chart plot graph diagram
	metric statistic stat number measure
	job workflow pipeline build action
	deploy release ship rollout
	customer client buyer
	invoice bill
	payment charge pay
	refund reimburse
	film movie
	song music track
	drawing canvas
	console terminal shell
	command shell
	draw paint diagram
	word text string
	math calculate compute arithmetic sum
	library package dependency module`

// alike are, by the stem of each word, the stems of those alike.
var alike = sync.OnceValue(func() map[string][]string { return synonyms(alikeLines) })

func setOf(words string) map[string]bool {
	set := make(map[string]bool)
	for word := range strings.FieldsSeq(words) {
		set[word] = true
	}
	return set
}

func synonyms(lines string) map[string][]string {
	known := make(map[string][]string)
	for line := range strings.Lines(lines) {
		words := strings.Fields(line)
		for i, word := range words {
			words[i] = stem(word)
		}
		for i, word := range words {
			known[word] = append(append(known[word], words[:i]...), words[i+1:]...)
		}
	}
	return known
}
