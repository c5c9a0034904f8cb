package upstream

import "cmp"

// SetMessageLimit is how many bytes one message of the server may have from now
// on; 0 = DefaultMessageLimit. A connection that there is keeps the limit that it
// was made with: what is on its way was let in by that.
func (u *Upstream) SetMessageLimit(bytes int) {
	u.largest.Store(int64(cmp.Or(bytes, DefaultMessageLimit)))
}

func (u *Upstream) messageLimit() int { return int(u.largest.Load()) }
