package molliesim

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/pay/qrcode"
)

// maxQR is the amount from which Bancontact gives no QR code.
const maxQR civil.Cents = 1500_00

// methods are the ways to pay that the simulator offers.
var methods = []struct{ ID, Description string }{
	{"bancontact", "Bancontact"}, {"creditcard", "Carte bancaire"},
}

func offered(method string) bool {
	for _, m := range methods {
		if m.ID == method {
			return true
		}
	}
	return false
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", halType)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// fail answers an error in Mollie's shape.
func fail(w http.ResponseWriter, status int, detail, field string) {
	writeJSON(w, status, failure(status, detail, field))
}

func failure(status int, detail, field string) []byte {
	out := hal{
		"status": status, "title": http.StatusText(status), "detail": detail,
		"_links": hal{"documentation": href("https://docs.mollie.com/reference/handling-errors", "text/html")},
	}
	if field != "" {
		out["field"] = field
	}
	return encode(out)
}

func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // only maps, strings and checked JSON: never fails
	return b.Bytes()
}

// authorized lets only the holder of the key pass.
func (s *Server) authorized(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || subtle.ConstantTimeCompare([]byte(key), []byte(s.opts.APIKey)) != 1 {
			fail(w, http.StatusUnauthorized, "Missing authentication, or failed to authenticate", "")
			return
		}
		next(w, r)
	}
}

// live reports whether the simulator plays Mollie's live mode.
func (s *Server) live() bool { return strings.HasPrefix(s.opts.APIKey, "live_") }

// wrong is a refusal of a request, 400 or 422.
type wrong struct {
	status        int
	detail, field string
}

func (e *wrong) Error() string { return e.detail }

func invalid(field, detail string) error {
	return &wrong{http.StatusUnprocessableEntity, detail, field}
}

var amountPattern = regexp.MustCompile(`^[0-9]{1,8}\.[0-9]{2}$`)

// readCreate checks a creation and returns the payment it asks for.
func (s *Server) readCreate(raw []byte) (Entry, error) {
	var in struct {
		Amount      *struct{ Currency, Value string }
		Description string
		RedirectURL string `json:"redirectUrl"`
		CancelURL   string `json:"cancelUrl"`
		WebhookURL  string `json:"webhookUrl"`
		Locale      string
		Method      json.RawMessage
		Metadata    json.RawMessage
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return Entry{}, &wrong{http.StatusBadRequest, "The body is no valid JSON", ""}
	}
	switch {
	case in.Amount == nil:
		return Entry{}, invalid("amount", "The amount is required")
	case in.Amount.Currency != "EUR":
		return Entry{}, invalid("amount", "The simulator takes EUR only")
	case !amountPattern.MatchString(in.Amount.Value):
		return Entry{}, invalid("amount", "The amount value needs two decimals and a point")
	case strings.TrimSpace(in.Description) == "":
		return Entry{}, invalid("description", "The description is required")
	case len([]rune(in.Description)) > 255:
		return Entry{}, invalid("description", "The description is longer than 255 characters")
	case !web(in.RedirectURL):
		return Entry{}, invalid("redirectUrl", "The redirect URL is required and must be an http address")
	case in.CancelURL != "" && !web(in.CancelURL):
		return Entry{}, invalid("cancelUrl", "The cancel URL is no http address")
	case in.WebhookURL != "" && !web(in.WebhookURL):
		return Entry{}, invalid("webhookUrl", "The webhook URL is no http address")
	case len(in.Metadata) > 1024:
		return Entry{}, invalid("metadata", "The metadata is over 1 kB")
	}
	cents, err := civil.ParseEuros(in.Amount.Value)
	if err != nil || cents <= 0 {
		return Entry{}, invalid("amount", "The amount is lower than the minimum")
	}
	if cents > 50_000_00 {
		return Entry{}, invalid("amount", "The amount is higher than the maximum")
	}
	method, err := readMethod(in.Method)
	if err != nil {
		return Entry{}, err
	}
	if len(in.Metadata) == 0 {
		in.Metadata = json.RawMessage("null")
	}
	mode := "test"
	if s.live() {
		mode = "live"
	}
	now := s.opts.Clock().UTC()
	return Entry{
		ID: newID("tr_"), Mode: mode, Status: "open", Cents: cents, Description: in.Description, Method: method,
		Metadata: string(in.Metadata), Locale: in.Locale, RedirectURL: in.RedirectURL, CancelURL: in.CancelURL,
		WebhookURL: in.WebhookURL, Cancelable: true, CreatedAt: now, ExpiresAt: now.Add(s.opts.Lifetime),
	}, nil
}

// readMethod takes a method or a list of them; a list of more than one leaves the choice to the payer.
func readMethod(raw json.RawMessage) (string, error) {
	var list []string
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	if raw[0] != '[' {
		raw = append(append(json.RawMessage{'['}, raw...), ']')
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return "", invalid("method", "The method is neither a name nor a list of names")
	}
	for _, m := range list {
		if !offered(m) {
			return "", invalid("method", "The payment method is not enabled")
		}
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return "", nil
}

func web(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

func (s *Server) create(ctx context.Context, tx pgx.Tx, r *http.Request, raw []byte) (result, error) {
	e, err := s.readCreate(raw)
	if err != nil {
		return result{}, err
	}
	_, fixed, err := take(ctx, tx, TroubleNotCancelable)
	if err != nil {
		return result{}, err
	}
	e.Cancelable = !fixed
	_, err = tx.Exec(ctx, `
		INSERT INTO payment (`+columns+`)
		VALUES (@id, @mode, @status, @cents, @description, @method, @metadata, @locale, @redirect, @cancel, @webhook,
			@cancelable, @created, @expires, NULL)`,
		pgx.NamedArgs{
			"id": e.ID, "mode": e.Mode, "status": e.Status, "cents": e.Cents, "description": e.Description,
			"method": e.Method, "metadata": e.Metadata, "locale": e.Locale, "redirect": e.RedirectURL,
			"cancel": e.CancelURL, "webhook": e.WebhookURL, "cancelable": e.Cancelable, "created": e.CreatedAt,
			"expires": e.ExpiresAt,
		})
	if err != nil {
		return result{}, fmt.Errorf("writing the payment: %w", err)
	}
	answer := s.answer(e)
	if e.Method == "bancontact" && e.Cents < maxQR && strings.Contains(r.URL.Query().Get("include"), "details.qrCode") {
		src, err := qrcode.DataURL(s.checkoutURL(e.ID) + "?qr=1")
		if err != nil {
			return result{}, err
		}
		answer["details"] = hal{"qrCode": hal{"height": 180, "width": 180, "src": src}}
	}
	res := result{status: http.StatusCreated, body: encode(answer), early: func() bool { return !e.Live() }}
	if _, paid, err := take(ctx, tx, TroubleCreatePaid); err != nil {
		return result{}, err
	} else if paid {
		if e.Method == "" {
			e.Method = "bancontact"
		}
		if err := s.move(ctx, tx, &e, "paid"); err != nil {
			return result{}, err
		}
	}
	if _, forged, err := take(ctx, tx, TroubleWebhookForged); err != nil {
		return result{}, err
	} else if forged {
		if err := s.forge(ctx, tx, e); err != nil {
			return result{}, err
		}
	}
	_, res.cut, err = take(ctx, tx, TroubleCreateCut)
	return res, err
}

func (s *Server) paymentRead(w http.ResponseWriter, r *http.Request) {
	if _, ok, err := take(r.Context(), s.pool, TroubleReadError); err != nil || ok {
		fail(w, http.StatusInternalServerError, "Trouble by script", "")
		return
	}
	if err := s.tick(r.Context()); err != nil {
		s.broken(w, r, err)
		return
	}
	e, err := one(r.Context(), s.pool, r.PathValue("id"))
	s.reply(w, r, e, err)
}

func (s *Server) paymentCancel(w http.ResponseWriter, r *http.Request) {
	ctx, id := r.Context(), r.PathValue("id")
	if _, ok, err := take(ctx, s.pool, TroubleCancelError); err != nil || ok {
		fail(w, http.StatusInternalServerError, "Trouble by script", "")
		return
	}
	e, err := one(ctx, s.pool, id)
	if err == nil && (!e.Cancelable || e.Status != "open") {
		err = ErrEnded
	}
	if err == nil {
		e, err = s.Act(ctx, id, ActCancel, "")
	}
	s.reply(w, r, e, err)
}

// reply answers with a payment, or with why there is none.
func (s *Server) reply(w http.ResponseWriter, r *http.Request, e Entry, err error) {
	switch {
	case err == nil:
		s.replyPayment(w, r, e)
	case errors.Is(err, ErrUnknown):
		fail(w, http.StatusNotFound, "No payment exists with token "+r.PathValue("id")+".", "")
	case errors.Is(err, ErrEnded):
		fail(w, http.StatusUnprocessableEntity, "The payment cannot be canceled", "")
	default:
		s.broken(w, r, err)
	}
}

// replyPayment answers with a payment and what is asked to be embedded.
func (s *Server) replyPayment(w http.ResponseWriter, r *http.Request, e Entry) {
	answer, embedded := s.answer(e), hal{}
	for what := range strings.SplitSeq(r.URL.Query().Get("embed"), ",") {
		var list []hal
		var err error
		switch what {
		case "refunds":
			list, err = s.refundHAL(r.Context(), e.ID)
		case "chargebacks":
			list, err = s.chargebackHAL(r.Context(), e.ID)
		default:
			continue
		}
		if err != nil {
			s.broken(w, r, err)
			return
		}
		embedded[what] = list
	}
	if len(embedded) > 0 {
		answer["_embedded"] = embedded
	}
	writeJSON(w, http.StatusOK, encode(answer))
}

func (s *Server) methodList(w http.ResponseWriter, _ *http.Request) {
	list := make([]hal, 0, len(methods))
	for _, m := range methods {
		list = append(list, hal{"resource": "method", "id": m.ID, "description": m.Description, "status": "activated"})
	}
	writeJSON(w, http.StatusOK, encode(hal{
		"count": len(list), "_embedded": hal{"methods": list},
		"_links": hal{"self": href(s.opts.BaseURL+"/v2/methods", halType)},
	}))
}
