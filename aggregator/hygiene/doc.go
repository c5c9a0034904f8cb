// Package hygiene takes out of texts that servers write to be shown what a
// program reads and a person does not see: control characters and escape
// sequences, marks that turn the direction of writing, characters without
// width, tags. And it takes icons out whose address a host should not follow.
//
// It is pure. It knows which members of a definition are shown, and leaves all
// others alone, and of those that are shown every byte that it need not change.
//
// # Design
//
// Zero-width joiners and non-joiners and the two marks of direction (U+200C to
// U+200F) stay: emoji, Persian and mixed Hebrew are not to be written without.
// Tag characters go, though the flags of England, Scotland and Wales are made of
// them: they spell any text invisibly, which is what poisoned descriptions use.
//
// What a definition only carries is not shown: names of properties, enum, const,
// default, patterns, examples and _meta are values, which a call may have to
// repeat to the byte.
//
// Of icons, https, http and data:image/… stay, SVG among them: hosts show icons
// as images, in which scripts do not run, and the same SVG could come by https.
package hygiene
