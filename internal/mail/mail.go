// Package mail sends e-mails over SMTP and draws the text and HTML of one.
package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// stepTimeout bounds connecting with all that precedes the mail, and again the mail itself.
const stepTimeout = 30 * time.Second

// maxSize bounds a mail with its attachments, in bytes; servers commonly refuse more.
const maxSize = 15 << 20

// Message is one mail to one person.
type Message struct {
	// ID is stable over repeats, so that a mail sent twice is shown once: the Message-ID is ID@<domain of the sender>.
	// Letters, digits, ".", "_" and "-".
	ID          string
	To          string // an address, with or without a name
	ReplyTo     string // the same, or ""
	Subject     string
	Text        string // required
	HTML        string // "" sends text alone
	Language    string // "fr"
	Attachments []Attachment
}

// Attachment is a file of a mail.
type Attachment struct {
	Name string // "facture-2026-0012.pdf"
	Type string // "application/pdf"
	Data []byte
}

// Sender sends mails through one SMTP server. It is safe for concurrent use.
type Sender struct {
	host     string
	from     *netmail.Address
	domain   string
	options  []gomail.Option
	implicit bool // TLS from the first byte
}

// NewSender returns a sender for an address such as
//
//	smtp://user:password@smtp.example.org:587?starttls=required
//	smtps://user:password@smtp.example.org
//	smtp://127.0.0.1:2525?starttls=never
//
// starttls is required, opportunistic or never; required when there is a user and the host is not this machine,
// opportunistic otherwise. The port is 465 for smtps, 587 with a user, 25 without. From is the sender of every mail,
// an address with or without a name. The password shows in no error.
func NewSender(smtpURL, from string) (*Sender, error) {
	sender, err := netmail.ParseAddress(from)
	if err != nil {
		return nil, fmt.Errorf("the sender %q is no mail address", from)
	}
	u, err := url.Parse(smtpURL)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Path != "" && u.Path != "/" {
		return nil, errors.New("the SMTP address is not like smtp://user:password@host:port or smtps://…")
	}
	s := &Sender{host: u.Hostname(), from: sender, implicit: u.Scheme == "smtps"}
	_, s.domain, _ = strings.Cut(sender.Address, "@")
	password, _ := u.User.Password()
	user := u.User.Username()
	port := 25
	switch {
	case s.implicit:
		port = 465
	case user != "":
		port = 587
	}
	if p := u.Port(); p != "" {
		if port, err = strconv.Atoi(p); err != nil || port < 1 || port > 65535 {
			return nil, fmt.Errorf("the SMTP port %q is no port", p)
		}
	}
	policy, err := tlsPolicy(u, user != "" && !loopback(s.host))
	if err != nil {
		return nil, err
	}
	s.options = []gomail.Option{gomail.WithPort(port), gomail.WithTimeout(stepTimeout), gomail.WithTLSPolicy(policy)}
	if s.implicit {
		s.options = append(s.options, gomail.WithSSL())
	}
	if user != "" {
		s.options = append(s.options, gomail.WithUsername(user), gomail.WithPassword(password),
			// PLAIN and LOGIN are refused by the library over an open line to another machine.
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1,
				gomail.SMTPAuthCramMD5, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	if _, err := gomail.NewClient(s.host, s.options...); err != nil {
		return nil, errors.New("the SMTP address cannot be used")
	}
	return s, nil
}

func tlsPolicy(u *url.URL, required bool) (gomail.TLSPolicy, error) {
	for name := range u.Query() {
		if name != "starttls" {
			return 0, fmt.Errorf("the SMTP address has the unknown option %q", name)
		}
	}
	switch want := u.Query().Get("starttls"); {
	case u.Scheme == "smtps" && want != "":
		return 0, errors.New("smtps takes no starttls option")
	case want == "never":
		return gomail.NoTLS, nil
	case want == "required", want == "" && required:
		return gomail.TLSMandatory, nil
	case want == "opportunistic", want == "":
		return gomail.TLSOpportunistic, nil
	default:
		return 0, fmt.Errorf("starttls=%q is not required, opportunistic or never", want)
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// From returns the sender of every mail.
func (s *Sender) From() string { return s.from.String() }

// client returns a connection's settings. The connection closes when ctx ends: the library looks at its context while
// connecting only.
func (s *Sender) client(ctx context.Context) (*gomail.Client, func(), error) {
	stop := func() bool { return true }
	dial := func(dialCtx context.Context, network, address string) (net.Conn, error) {
		var conn net.Conn
		var err error
		if s.implicit {
			dialer := tls.Dialer{Config: &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12}}
			conn, err = dialer.DialContext(dialCtx, network, address)
		} else {
			conn, err = (&net.Dialer{}).DialContext(dialCtx, network, address)
		}
		if err == nil {
			stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
		}
		return conn, err
	}
	options := append([]gomail.Option{gomail.WithDialContextFunc(dial)}, s.options...)
	c, err := gomail.NewClient(s.host, options...)
	if err != nil {
		return nil, nil, &Error{Kind: KindDenied, Doing: "preparing", Detail: "the SMTP address cannot be used"}
	}
	return c, func() { stop() }, nil
}

var (
	idPattern   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$`)
	typePattern = regexp.MustCompile(`^[a-z]+/[a-z0-9.+-]+$`)
)

// Send delivers a mail to the SMTP server. It returns nil once the server has taken the mail; every other outcome is
// an *Error. After a temporary one the mail may have been taken: repeat it under the same ID.
func (s *Sender) Send(ctx context.Context, m Message) error {
	msg, err := s.compose(m)
	if err != nil {
		return err
	}
	c, release, err := s.client(ctx)
	if err != nil {
		return err
	}
	defer release()
	conn, err := c.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return dialError("connecting", err)
	}
	err = c.SendWithSMTPClient(conn, msg)
	if msg.IsDelivered() {
		// A server that takes the mail and then stumbles over RSET or QUIT has taken the mail.
		_ = c.CloseWithSMTPClient(conn)
		return nil
	}
	if conn.HasConnection() {
		_ = c.CloseWithSMTPClient(conn)
	}
	if err == nil {
		err = errors.New("the mail was not taken")
	}
	return sendError(err)
}

// Check proves that the server can be reached and takes the user and password. It sends no mail.
func (s *Sender) Check(ctx context.Context) error {
	c, release, err := s.client(ctx)
	if err != nil {
		return err
	}
	defer release()
	conn, err := c.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return dialError("connecting", err)
	}
	if err := conn.Noop(); err != nil {
		return dialError("greeting", err)
	}
	_ = c.CloseWithSMTPClient(conn)
	return nil
}

// compose builds the mail, or returns an *Error that a repeat does not mend.
func (s *Sender) compose(m Message) (*gomail.Msg, error) {
	refuse := func(kind Kind, detail string) error {
		return &Error{Kind: kind, Doing: "composing", Detail: detail}
	}
	size := len(m.Text) + len(m.HTML)
	for _, a := range m.Attachments {
		size += len(a.Data) * 4 / 3
	}
	switch {
	case !idPattern.MatchString(m.ID):
		return nil, refuse(KindRefused, "the message has no usable id")
	case m.Text == "" || strings.TrimSpace(m.Subject) == "":
		return nil, refuse(KindRefused, "the message has no subject or no text")
	case strings.ContainsAny(m.Subject, "\r\n"):
		return nil, refuse(KindRefused, "the subject has several lines")
	case size > maxSize:
		return nil, refuse(KindRefused, "the message is too large")
	}
	to, err := netmail.ParseAddress(m.To)
	if err != nil {
		return nil, refuse(KindRecipient, "the address is no mail address")
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(s.from)
	msg.ToMailAddress(to)
	if m.ReplyTo != "" {
		reply, err := netmail.ParseAddress(m.ReplyTo)
		if err != nil {
			return nil, refuse(KindRefused, "the reply address is no mail address")
		}
		msg.ReplyToMailAddress(reply)
	}
	msg.Subject(m.Subject)
	msg.SetMessageIDWithValue(m.ID + "@" + s.domain)
	msg.SetDate()
	// No holiday answers, no loops (RFC 3834, and Microsoft's own header).
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")
	if m.Language != "" {
		msg.SetGenHeader("Content-Language", m.Language)
	}
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	for _, a := range m.Attachments {
		if a.Name == "" || strings.ContainsAny(a.Name, "/\\\r\n\"") || !typePattern.MatchString(a.Type) {
			return nil, refuse(KindRefused, "an attachment has no usable name or type")
		}
		msg.AttachReadSeeker(a.Name, bytes.NewReader(a.Data), gomail.WithFileContentType(gomail.ContentType(a.Type)))
	}
	return msg, nil
}
