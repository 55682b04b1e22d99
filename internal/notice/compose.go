package notice

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/db"
	"ribambelle/internal/locale"
	"ribambelle/internal/mail"
)

// errGone is returned for a subject or a person who no longer exists.
var errGone = fmt.Errorf("gone: %w", errDrop)

// letter is a mail before it is drawn. Its words are at "notice.<key>.subject", ".title", ".body" (paragraphs are
// parted by an empty line), ".button" and, when it has one, ".after"; each takes args.
type letter struct {
	key    string
	args   []any
	facts  []mail.Fact
	button string // path in the portal
	after  []string
	files  []mail.Attachment
}

// person is who a message goes to.
type person struct {
	AccountID  *uuid.UUID
	GuardianID uuid.UUID // zero for an account without guardian
	Name       string
	Email      string
	Channel    string
	Locale     string
}

// compose writes the mail of a message as things are now; errDrop when it is no longer wanted, a noAddressError when the
// recipient has no e-mail.
func (s *Store) compose(ctx context.Context, tx db.Tx, m message) (mail.Message, error) {
	p, l, err := s.write(ctx, tx, m)
	if err != nil {
		return mail.Message{}, err
	}
	if p.Email == "" || p.Channel != "email" {
		return mail.Message{}, &noAddressError{channel: p.Channel}
	}
	settings, err := camp.AllSettings(ctx, tx)
	if err != nil {
		return mail.Message{}, err
	}
	return s.draw(m, p, l, settings)
}

// write finds the recipient and the content of a message.
func (s *Store) write(ctx context.Context, tx db.Tx, m message) (person, letter, error) {
	if strings.HasPrefix(m.Template, templateAccount) {
		return s.accountLetter(ctx, m)
	}
	raw, ok := strings.CutPrefix(m.Recipient, "guardian:")
	id, err := uuid.Parse(raw)
	if !ok || err != nil {
		return person{}, letter{}, fmt.Errorf("message %s has the recipient %q", m.ID, m.Recipient)
	}
	p, err := readGuardian(ctx, tx, id)
	if err != nil {
		return p, letter{}, err
	}
	loc := locale.For(p.Locale)
	var l letter
	switch {
	case m.Template == templateAttestation:
		l, err = s.attestationLetter(ctx, tx, m, p, loc)
	case strings.HasPrefix(m.Template, templateRegistration):
		l, err = s.registrationLetter(ctx, tx, m, p, loc)
	case m.Template == templateClaim:
		return s.claimLetter(ctx, tx, m, p)
	case m.Template == templateConsent:
		l, err = s.consentLetter(ctx, tx, m, p, loc)
	case m.Template == templateCancelAsked:
		l, err = s.cancelLetter(ctx, tx, m, p, loc)
	case m.Template == templatePaymentAsked:
		l, err = s.askedLetter(ctx, tx, m, p, loc)
	case strings.HasPrefix(m.Template, templateRefund):
		l, err = s.refundLetter(ctx, tx, m, p, loc)
	case m.Template == templateInvoice:
		l, err = s.invoiceLetter(ctx, tx, m, p, loc)
	case strings.HasPrefix(m.Template, templateDunning):
		l, err = s.dunningLetter(ctx, m, loc)
	case m.Template == templateAnswered:
		l, err = s.answeredLetter(ctx, m, loc)
	case m.Template == templateCredit:
		l, err = s.creditLetter(ctx, tx, m, p, loc)
	case m.Template == TriggerSheetStale:
		l, err = s.sheetLetter(ctx, tx, m, p, loc)
	case m.Template == TriggerCampSoon:
		l, err = s.soonLetter(ctx, tx, m, p, loc)
	case m.Template == TriggerPaymentDue:
		l, err = s.paymentLetter(ctx, tx, m, p, loc)
	default:
		err = fmt.Errorf("message %s has the unknown template %q", m.ID, m.Template)
	}
	return p, l, err
}

func readGuardian(ctx context.Context, q db.Querier, id uuid.UUID) (person, error) {
	rows, err := q.Query(ctx, `
		SELECT g.account_id, g.id AS guardian_id, trim(g.first_name || ' ' || g.last_name) AS name,
		  coalesce(nullif(g.email, ''), a.email, '') AS email, g.channel, coalesce(a.locale, 'fr') AS locale
		FROM guardian AS g
		LEFT JOIN account AS a ON a.id = g.account_id
		WHERE g.id = @id`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return person{}, fmt.Errorf("reading guardian %s: %w", id, err)
	}
	p, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[person])
	if errors.Is(err, pgx.ErrNoRows) {
		return p, errGone
	}
	return p, err
}

// draw puts a letter into the recipient's words and into the frame of the commune.
func (s *Store) draw(m message, p person, l letter, settings map[string]string) (mail.Message, error) {
	loc := locale.For(p.Locale)
	key := "notice." + l.key
	layout := mail.Layout{
		Language: loc.Lang(), Brand: settings["commune.name"], Title: loc.T(key+".title", l.args...),
		Paragraphs: append([]string{loc.T("notice.hello", p.Name)}, strings.Split(loc.T(key+".body", l.args...), "\n\n")...),
		Facts:      l.facts, After: l.after, Footer: footer(loc, settings),
	}
	if l.button != "" {
		layout.Button = &mail.Button{Label: loc.T(key+".button", l.args...), URL: s.PublicURL + l.button}
	}
	text, html, err := layout.Render()
	if err != nil {
		return mail.Message{}, fmt.Errorf("drawing message %s: %w", m.ID, err)
	}
	return mail.Message{
		ID: m.ID.String(), To: p.Email, ReplyTo: replyTo(settings), Language: loc.Lang(),
		Subject: oneLine(loc.T(key+".subject", l.args...)), Text: text, HTML: html, Attachments: l.files,
	}, nil
}

// replyTo is where answers go. A setting that is no address must not keep every mail from leaving.
func replyTo(settings map[string]string) string {
	for _, key := range []string{"mail.reply_to", "commune.email"} {
		if _, err := netmail.ParseAddress(settings[key]); err == nil {
			return settings[key]
		}
	}
	return ""
}

// footer says who writes and how to reach them.
func footer(loc *locale.Locale, settings map[string]string) []string {
	var lines []string
	address := strings.Trim(settings["commune.street"]+", "+settings["commune.city"], ", ")
	reach := strings.Trim(loc.Phone(settings["commune.phone"])+" · "+settings["commune.email"], " ·")
	for _, line := range []string{address, reach, loc.T("notice.footer")} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// oneLine keeps what a family or Odoo named out of the other header fields.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s))
}
