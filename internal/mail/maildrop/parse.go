package maildrop

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Mail is a received mail, taken apart.
type Mail struct {
	ID          int64             `json:"id"`
	ReceivedAt  time.Time         `json:"receivedAt"`
	From        string            `json:"from"` // of the envelope
	To          []string          `json:"to"`   // of the envelope
	Subject     string            `json:"subject"`
	MessageID   string            `json:"messageId"` // without angle brackets
	Header      map[string]string `json:"header"`    // the first value of each, decoded
	Text        string            `json:"text"`
	HTML        string            `json:"html"`
	Attachments []Attachment      `json:"attachments"`
	Size        int               `json:"size"`
	Fault       string            `json:"fault,omitempty"` // why the mail could not be taken apart
}

// Attachment is a file in a mail.
type Attachment struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Size int    `json:"size"`
	Data []byte `json:"-"`
}

// row is a mail as stored.
type row struct {
	ID         int64     `db:"id"`
	ReceivedAt time.Time `db:"received_at"`
	Sender     string    `db:"sender"`
	Recipients []string  `db:"recipients"`
	Subject    string    `db:"subject"`
	MessageID  string    `db:"message_id"`
	Raw        []byte    `db:"raw"`
}

// errMissing is a mail that is not, or no longer, kept.
var errMissing = errors.New("no such mail")

// Mails returns the mails to one recipient, or all for "", newest first.
func (d *Drop) Mails(ctx context.Context, to string) ([]Mail, error) {
	rows, err := d.pool.Query(ctx, `
		SELECT id, received_at, sender, recipients, subject, message_id, raw
		FROM mail
		WHERE @to = '' OR lower(@to) IN (SELECT lower(r) FROM unnest(recipients) AS r)
		ORDER BY id DESC`, pgx.NamedArgs{"to": to})
	if err != nil {
		return nil, err
	}
	stored, err := pgx.CollectRows(rows, pgx.RowToStructByName[row])
	if err != nil {
		return nil, err
	}
	mails := make([]Mail, 0, len(stored))
	for _, r := range stored {
		mails = append(mails, r.parse())
	}
	return mails, nil
}

func (d *Drop) one(ctx context.Context, id int64) (row, error) {
	rows, err := d.pool.Query(ctx, `
		SELECT id, received_at, sender, recipients, subject, message_id, raw
		FROM mail
		WHERE id = @id`, pgx.NamedArgs{"id": id})
	if err != nil {
		return row{}, err
	}
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[row])
	if errors.Is(err, pgx.ErrNoRows) {
		return row{}, errMissing
	}
	return r, err
}

// maxDepth bounds how deep multiparts are followed, maxParts how many parts are taken.
const (
	maxDepth = 8
	maxParts = 200
)

func (r row) parse() Mail {
	m := Mail{
		ID: r.ID, ReceivedAt: r.ReceivedAt, From: r.Sender, To: r.Recipients, Subject: r.Subject,
		MessageID: r.MessageID, Header: map[string]string{}, Size: len(r.Raw),
	}
	parsed, err := netmail.ReadMessage(bytes.NewReader(r.Raw))
	if err != nil {
		m.Fault, m.Text = "unreadable header", strings.ToValidUTF8(string(r.Raw), "\uFFFD")
		return m
	}
	for name, values := range parsed.Header {
		m.Header[name] = decode(values[0])
	}
	p := parser{mail: &m}
	p.part(headerOf(parsed.Header.Get), parsed.Body, 0)
	return m
}

// header is what of a part's header decides how it is read.
type header struct {
	kind, encoding, disposition string
}

func headerOf(get func(string) string) header {
	return header{kind: get("Content-Type"), encoding: get("Content-Transfer-Encoding"), disposition: get("Content-Disposition")}
}

type parser struct {
	mail  *Mail
	parts int
}

// fault notes the first thing that is wrong.
func (p *parser) fault(what string) {
	if p.mail.Fault == "" {
		p.mail.Fault = what
	}
}

// part reads one part and those within it.
func (p *parser) part(h header, body io.Reader, depth int) {
	if p.parts++; p.parts > maxParts || depth > maxDepth {
		p.fault("too many parts")
		return
	}
	kind, params, err := mime.ParseMediaType(h.kind)
	if err != nil {
		kind, params = "text/plain", nil
	}
	if strings.HasPrefix(kind, "multipart/") {
		reader := multipart.NewReader(body, params["boundary"])
		for p.parts <= maxParts {
			next, err := reader.NextRawPart()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				p.fault("broken parts")
				return
			}
			p.part(headerOf(next.Header.Get), next, depth+1)
		}
		return
	}
	switch strings.ToLower(strings.TrimSpace(h.encoding)) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	data, err := io.ReadAll(body)
	if err != nil {
		p.fault("broken encoding")
	}
	disposition, names, err := mime.ParseMediaType(h.disposition)
	if err != nil {
		disposition, names = "", nil
	}
	name := decode(names["filename"])
	switch {
	case disposition == "attachment" || name != "":
		p.mail.Attachments = append(p.mail.Attachments, Attachment{Name: name, Type: kind, Size: len(data), Data: data})
	case kind == "text/html" && p.mail.HTML == "":
		p.mail.HTML = strings.ToValidUTF8(string(data), "\uFFFD")
	case kind == "text/plain" && p.mail.Text == "":
		p.mail.Text = strings.ReplaceAll(strings.ToValidUTF8(string(data), "\uFFFD"), "\r\n", "\n")
	default:
		p.mail.Attachments = append(p.mail.Attachments, Attachment{Name: "partie", Type: kind, Size: len(data), Data: data})
	}
}

// decode reads RFC 2047 words; what cannot be decoded stays as it is.
func decode(s string) string {
	out, err := new(mime.WordDecoder).DecodeHeader(s)
	if err != nil {
		return s
	}
	return out
}
