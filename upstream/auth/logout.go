package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/weir-mcp/weir/upstream/auth/credentials"
	"github.com/weir-mcp/weir/upstream/auth/guard"
)

// revokeTime is how long an authorization server may take to withdraw tokens.
const revokeTime = 10 * time.Second

func (p *person) logout(ctx context.Context) (Outcome, error) {
	set, err := p.settings(ctx)
	if err != nil {
		return Outcome{}, err
	}
	store := p.k.o.Store
	found, err := store.Find(ctx, set.at.text, set.account)
	if err != nil || found == nil {
		return Outcome{}, err
	}
	out := Outcome{Had: found.Access+found.Refresh != ""}
	if out.Had && found.Revocation != "" {
		err := p.revoke(ctx, set, found)
		if out.Revoked = err == nil; err != nil {
			p.log.Warn().Err(err).Msg("tokens could not be withdrawn")
		}
	}
	err = errors.Join(store.Remove(ctx, found.Key), store.RemoveClient(ctx, found.Key.Issuer, set.at.text))
	_ = p.look(ctx)
	return out, err
}

// revoke withdraws the tokens of a login: the refresh token first, with which the
// others should end (RFC 7009, section 2.1).
func (p *person) revoke(ctx context.Context, set *settings, l *credentials.Login) error {
	ctx, cancel := context.WithTimeout(ctx, revokeTime)
	defer cancel()
	c, err := clientOf(set, &l.Client)
	if err != nil {
		return err
	}
	g := p.a.guard(set)
	defer g.Close()
	var errs []error
	for _, token := range []struct{ hint, text string }{{"refresh_token", l.Refresh}, {"access_token", l.Access}} {
		if token.text != "" {
			errs = append(errs, revokeOne(ctx, g, c, l.Revocation, token.hint, token.text))
		}
	}
	return errors.Join(errs...)
}

func revokeOne(ctx context.Context, g *guard.Client, c *client, address, hint, token string) error {
	body, header, err := c.form(url.Values{"token": {token}, "token_type_hint": {hint}})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return errors.New("the revocation endpoint is no URL")
	}
	req.Header = header
	resp, err := g.HTTP().Do(req)
	if err != nil {
		return unanswered(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("withdrawing the %s: the authorization server answered %d", strings.ReplaceAll(hint, "_", " "), resp.StatusCode)
	}
	return nil
}
