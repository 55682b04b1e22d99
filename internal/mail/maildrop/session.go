package maildrop

import (
	"bytes"
	"context"
	"fmt"
	"io"
	netmail "net/mail"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/jackc/pgx/v5"
)

// Stage is where in the conversation a refusal falls.
type Stage string

// The stages. StageCut takes and keeps the mail, and hangs up instead of saying so.
const (
	StageMail Stage = "mail"
	StageRcpt Stage = "rcpt"
	StageData Stage = "data"
	StageCut  Stage = "cut"
)

// Refusal is one line of the script: what the drop answers instead of "250 OK".
type Refusal struct {
	Stage Stage
	Code  int    // 450, 550…; not used by StageCut
	Text  string // "mailbox full"; "" is "refused by script"
	To    string // only for this recipient; "" is any (StageMail knows none)
	Times int    // how often; zero is once
}

// Script adds refusals to come; they do not survive the process.
func (d *Drop) Script(refusals ...Refusal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range refusals {
		r.Times = max(r.Times, 1)
		d.script = append(d.script, r)
	}
}

// refused uses up the first refusal that fits, if any.
func (d *Drop) refused(stage Stage, to []string) (Refusal, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, r := range d.script {
		if r.Stage != stage || r.To != "" && !slices.ContainsFunc(to, func(a string) bool { return strings.EqualFold(a, r.To) }) {
			continue
		}
		if d.script[i].Times--; d.script[i].Times == 0 {
			d.script = slices.Delete(d.script, i, i+1)
		}
		return r, true
	}
	return Refusal{}, false
}

func (r Refusal) answer() error {
	text := r.Text
	if text == "" {
		text = "refused by script"
	}
	return &smtp.SMTPError{Code: r.Code, EnhancedCode: smtp.EnhancedCode{r.Code / 100, 0, 0}, Message: text}
}

// session is one client's conversation.
type session struct {
	drop *Drop
	conn *smtp.Conn
	from string
	to   []string
}

func (s *session) Reset() { s.from, s.to = "", nil }

func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if r, ok := s.drop.refused(StageMail, nil); ok {
		return r.answer()
	}
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if r, ok := s.drop.refused(StageRcpt, []string{to}); ok {
		return r.answer()
	}
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r) // bounded by the server's MaxMessageBytes
	if err != nil {
		return err
	}
	if r, ok := s.drop.refused(StageData, s.to); ok {
		return r.answer()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := s.drop.keep(ctx, s.from, s.to, raw); err != nil {
		s.drop.opts.Log.ErrorContext(ctx, "mail drop", "error", err)
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "cannot keep the mail"}
	}
	if _, ok := s.drop.refused(StageCut, s.to); ok {
		return s.conn.Conn().Close()
	}
	return nil
}

// keep stores a mail and drops the oldest beyond the bound.
func (d *Drop) keep(ctx context.Context, from string, to []string, raw []byte) error {
	subject, id := "", ""
	if m, err := netmail.ReadMessage(bytes.NewReader(raw)); err == nil {
		subject, id = decode(m.Header.Get("Subject")), strings.Trim(m.Header.Get("Message-ID"), "<> ")
	}
	_, err := d.pool.Exec(ctx, `
		WITH gone AS (
			DELETE FROM mail
			WHERE id IN (
				SELECT id
				FROM mail
				ORDER BY id DESC
				OFFSET @before))
		INSERT INTO mail (received_at, sender, recipients, subject, message_id, raw)
		VALUES (@at, @from, @to, @subject, @message_id, @raw)`,
		pgx.NamedArgs{
			"before": d.opts.MaxMails - 1, "at": d.opts.Clock().UTC(), "from": clean(from), "to": cleanAll(to),
			"subject": clean(subject), "message_id": clean(id), "raw": raw,
		})
	if err != nil {
		return fmt.Errorf("keeping a mail of %d bytes: %w", len(raw), err)
	}
	d.announce()
	return nil
}

// clean makes a text that PostgreSQL takes: valid UTF-8 without NUL, not longer than a header should be.
func clean(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
	if r := []rune(s); len(r) > 1000 {
		s = string(r[:1000])
	}
	return s
}

func cleanAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = clean(s)
	}
	return out
}
