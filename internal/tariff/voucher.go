package tariff

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// Voucher is a code that lowers a price.
type Voucher struct {
	ID         uuid.UUID
	Code       string
	Name       string // what families and staff read of it
	Percent    *int
	Cents      *civil.Cents
	MaxUses    *int // nil is no bound
	ValidFrom  civil.Date
	ValidUntil civil.Date
	Regulation string
	Ended      bool
	Uses       int         // by registrations that have not ended
	CampIDs    []uuid.UUID // none: every camp
}

// Left is how many uses are left, nil for no bound; never below zero.
func (v Voucher) Left() *int {
	if v.MaxUses == nil {
		return nil
	}
	left := max(0, *v.MaxUses-v.Uses)
	return &left
}

// Code writes a typed code as it is kept: capitals and digits alone. What can be no code is "".
func Code(typed string) string {
	if len(typed) > 100 {
		return ""
	}
	var b strings.Builder
	for _, r := range strings.ToUpper(typed) {
		switch {
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == ' ', r == '-', r == '\u00a0', r == '.':
		default:
			return ""
		}
	}
	if b.Len() > 20 {
		return ""
	}
	return b.String()
}

// alphabet is what drawn codes are made of: nothing that looks like something else on paper.
const alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"

// draw returns a code of ten letters and digits: 32^10 of them, so that guessing is hopeless beside the limit of tries.
func draw() (string, error) {
	b := make([]byte, 10)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("drawing a code: %w", err)
	}
	for i := range b {
		b[i] = alphabet[b[i]&31]
	}
	return string(b), nil
}

const voucherColumns = `v.id, v.code, v.name, v.percent, v.cents, v.max_uses, v.valid_from, v.valid_until, v.regulation, v.ended_at IS NOT NULL AS ended,
		  (SELECT count(*)::int FROM voucher_use u WHERE u.voucher_id = v.id AND u.returned_at IS NULL) AS uses,
		  ARRAY(SELECT c.camp_id FROM voucher_camp c WHERE c.voucher_id = v.id ORDER BY c.camp_id) AS camp_ids`

// Wanted is what a voucher is wanted for.
type Wanted struct {
	Code   string // as Code writes it
	CampID uuid.UUID
	On     civil.Date
	// Before are the lines of the same basket that come first with the same code: each takes a use, as the submission
	// key of the registration that it may have become already.
	Before []uuid.UUID
	Lock   bool // for a submission: two that want the last use follow each other
}

// VoucherFor returns the reduction of a voucher. Invalid on the input "voucher" when the code does not count, with why.
func VoucherFor(ctx context.Context, q db.Querier, w Wanted) (*Cut, error) {
	lock := ""
	if w.Lock {
		lock = ` FOR NO KEY UPDATE`
	}
	var id uuid.UUID
	err := q.QueryRow(ctx, `SELECT id FROM voucher WHERE code = @code`+lock, pgx.NamedArgs{"code": w.Code}).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, refused("tariff.voucher_unknown")
	}
	if err != nil {
		return nil, fmt.Errorf("reading a voucher: %w", err)
	}
	var v Cut
	var percent *int
	var cents *civil.Cents
	var name, refuse string
	// A statement of its own, so that it sees the uses that were committed while the row was waited for.
	err = q.QueryRow(ctx, `
		SELECT v.name, v.percent, v.cents, v.regulation,
		  CASE
		    WHEN v.ended_at IS NOT NULL OR v.valid_until < @on THEN 'tariff.voucher_over'
		    WHEN v.valid_from > @on THEN 'tariff.voucher_early'
		    WHEN EXISTS (SELECT 1 FROM voucher_camp c WHERE c.voucher_id = v.id)
		      AND NOT EXISTS (SELECT 1 FROM voucher_camp c WHERE c.voucher_id = v.id AND c.camp_id = @camp) THEN 'tariff.voucher_other_camp'
		    WHEN v.max_uses <= cardinality(@before::uuid[]) + (
		      SELECT count(*)
		      FROM voucher_use u
		      JOIN registration r ON r.id = u.registration_id
		      WHERE u.voucher_id = v.id
		        AND u.returned_at IS NULL
		        AND r.submission_key <> ALL(@before::uuid[])) THEN 'tariff.voucher_used'
		    ELSE '' END
		FROM voucher v
		WHERE v.id = @id`,
		pgx.NamedArgs{"id": id, "on": w.On, "camp": w.CampID, "before": nonNil(w.Before)}).Scan(&name, &percent, &cents, &v.Regulation, &refuse)
	if err != nil {
		return nil, fmt.Errorf("reading voucher %s: %w", id, err)
	}
	if refuse != "" {
		return nil, refused(refuse)
	}
	v.ID, v.Label, v.Args = id, "price.voucher", []string{name}
	if percent != nil {
		v.Percent = *percent
	}
	if cents != nil {
		v.Cents = *cents
	}
	return &v, nil
}

func refused(code string) error {
	var f problem.Fields
	f.Add("voucher", code)
	return f.Err()
}

func nonNil(ids []uuid.UUID) []uuid.UUID {
	if ids == nil {
		return []uuid.UUID{}
	}
	return ids
}

// Use notes in the transaction of a submission that a registration uses a voucher.
func Use(ctx context.Context, tx db.Tx, voucherID, registrationID uuid.UUID, at time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO voucher_use (registration_id, voucher_id, at)
		VALUES (@registration, @voucher, @at)`,
		pgx.NamedArgs{"registration": registrationID, "voucher": voucherID, "at": at})
	if err != nil {
		return fmt.Errorf("using voucher %s: %w", voucherID, err)
	}
	return nil
}

// Return gives the use of a registration that ended back to its voucher.
func Return(ctx context.Context, tx db.Tx, registrationID uuid.UUID, at time.Time) error {
	_, err := tx.Exec(ctx, `
		UPDATE voucher_use
		SET returned_at = @at
		WHERE registration_id = @registration
		  AND returned_at IS NULL`,
		pgx.NamedArgs{"registration": registrationID, "at": at})
	if err != nil {
		return fmt.Errorf("giving back the voucher of registration %s: %w", registrationID, err)
	}
	return nil
}

// Retake takes the use of a registration again that goes on after all: its price was frozen with it, even if others
// have had the last use since.
func Retake(ctx context.Context, tx db.Tx, registrationID uuid.UUID) error {
	_, err := tx.Exec(ctx, `
		UPDATE voucher_use
		SET returned_at = NULL
		WHERE registration_id = @registration`,
		pgx.NamedArgs{"registration": registrationID})
	if err != nil {
		return fmt.Errorf("taking the voucher of registration %s again: %w", registrationID, err)
	}
	return nil
}

// CodeOf returns the code of the voucher that a registration was given, "" for none.
func CodeOf(ctx context.Context, q db.Querier, registrationID uuid.UUID) (code string, err error) {
	err = q.QueryRow(ctx, `
		SELECT v.code
		FROM voucher_use u
		JOIN voucher v ON v.id = u.voucher_id
		WHERE u.registration_id = @registration`,
		pgx.NamedArgs{"registration": registrationID}).Scan(&code)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the voucher of registration %s: %w", registrationID, err)
	}
	return code, nil
}

// How many codes that do not count a guardian may try within the window.
const (
	tryWindow = time.Hour
	maxTries  = 8
)

// Try runs what a guardian does with a typed code and counts it when the code is refused: Conflict with the minutes to
// wait after too many, before anything is tried. Without a code it only runs do.
func (s *Store) Try(ctx context.Context, guardianID uuid.UUID, code string, do func() error) error {
	if code == "" {
		return do()
	}
	try, err := s.countTry(ctx, guardianID)
	if err != nil {
		return err
	}
	if did := do(); did != nil {
		if Refused(did) {
			return did
		}
		err = did
	}
	if _, gone := s.DB.Exec(ctx, `DELETE FROM voucher_try WHERE id = @id`, pgx.NamedArgs{"id": try}); gone != nil && err == nil {
		err = fmt.Errorf("forgetting a code of guardian %s: %w", guardianID, gone)
	}
	return err
}

// countTry counts a code before it is looked at, so that many at once are as many tries.
func (s *Store) countTry(ctx context.Context, guardianID uuid.UUID) (id int64, err error) {
	var wait time.Duration
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		wait = 0
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended(@guardian, 16))`, pgx.NamedArgs{"guardian": guardianID.String()}); err != nil {
			return fmt.Errorf("locking the codes of guardian %s: %w", guardianID, err)
		}
		var oldest *time.Time
		err := tx.QueryRow(ctx, `
			SELECT (array_agg(at ORDER BY at DESC))[@max]
			FROM voucher_try
			WHERE guardian_id = @guardian
			  AND at > @since`,
			pgx.NamedArgs{"guardian": guardianID, "max": maxTries, "since": s.Now().Add(-tryWindow)}).Scan(&oldest)
		if err != nil {
			return fmt.Errorf("counting the codes of guardian %s: %w", guardianID, err)
		}
		if oldest != nil {
			wait = oldest.Add(tryWindow).Sub(s.Now())
			return nil
		}
		err = tx.QueryRow(ctx, `
			WITH old AS (
			  DELETE FROM voucher_try
			  WHERE at <= @since
			)
			INSERT INTO voucher_try (guardian_id, at)
			VALUES (@guardian, @now)
			RETURNING id`,
			pgx.NamedArgs{"guardian": guardianID, "now": s.Now(), "since": s.Now().Add(-tryWindow)}).Scan(&id)
		if err != nil {
			return fmt.Errorf("counting a code of guardian %s: %w", guardianID, err)
		}
		return nil
	})
	if err == nil && wait > 0 {
		err = problem.Conflict("tariff.voucher_wait", int(math.Ceil(wait.Minutes())))
	}
	return id, err
}

// Refused reports whether an error says that a voucher does not count.
func Refused(err error) bool {
	p := problem.As(err)
	if p == nil {
		return false
	}
	for _, f := range p.Fields {
		if f.Name == "voucher" {
			return true
		}
	}
	return false
}

// maxIssue bounds how many vouchers are issued at once.
const maxIssue = 500

// Issue makes count vouchers alike, with drawn codes, or one with the code that v names, and returns them. The same key
// again returns those that it made. Invalid with every faulty field.
func (s *Store) Issue(ctx context.Context, actor audit.Actor, key uuid.UUID, v Voucher, count int) ([]Voucher, error) {
	typed := v.Code
	if err := v.validate(&typed, count); err != nil {
		return nil, err
	}
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		// The same form sent twice at once: the second waits here and then finds what the first made.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended(@key, 16))`, pgx.NamedArgs{"key": key.String()}); err != nil {
			return fmt.Errorf("issuing vouchers: %w", err)
		}
		var there bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM voucher WHERE submission_key = @key)`, pgx.NamedArgs{"key": key}).Scan(&there); err != nil || there {
			return err
		}
		for range count {
			code := typed
			if code == "" {
				var err error
				if code, err = draw(); err != nil {
					return err
				}
			}
			if err := s.issue(ctx, tx, actor, key, code, v); err != nil {
				return err
			}
		}
		return audit.Record(ctx, tx, actor, "tariff.vouchers_issued", "setting", "voucher", map[string]any{"count": count, "key": key})
	})
	if db.Constraint(err) == "voucher_code_key" {
		var f problem.Fields
		f.Add("code", "tariff.code_taken")
		return nil, f.Err()
	}
	if err != nil {
		return nil, err
	}
	return s.vouchers(ctx, `v.submission_key = @key`, pgx.NamedArgs{"key": key})
}

func (s *Store) issue(ctx context.Context, tx db.Tx, actor audit.Actor, key uuid.UUID, code string, v Voucher) error {
	_, err := tx.Exec(ctx, `
		WITH made AS (
		  INSERT INTO voucher (code, name, percent, cents, max_uses, valid_from, valid_until, regulation, submission_key, created_by, created_at)
		  VALUES (@code, @name, @percent, @cents, @max_uses, @from, @until, @regulation, @key, @by, @now)
		  RETURNING id
		)
		INSERT INTO voucher_camp (voucher_id, camp_id)
		SELECT id, c
		FROM made, unnest(@camps::uuid[]) AS c`,
		pgx.NamedArgs{
			"code": code, "name": v.Name, "percent": v.Percent, "cents": v.Cents, "max_uses": v.MaxUses, "from": v.ValidFrom, "until": v.ValidUntil,
			"regulation": v.Regulation, "key": key, "by": actor.String(), "now": s.Now(), "camps": nonNil(v.CampIDs),
		})
	if err != nil {
		return fmt.Errorf("issuing a voucher: %w", err)
	}
	return nil
}

func (v *Voucher) validate(typed *string, count int) error {
	var f problem.Fields
	v.Name, v.Regulation = strings.TrimSpace(v.Name), strings.TrimSpace(v.Regulation)
	short(&f, "name", v.Name, true)
	short(&f, "regulation", v.Regulation, false)
	if *typed != "" {
		if *typed = Code(*typed); len(*typed) < 6 {
			f.Add("code", "tariff.code_form")
		}
		if count != 1 {
			f.Add("count", "tariff.one_code")
		}
	}
	if count < 1 || count > maxIssue {
		f.Add("count", "tariff.count_out_of_range", maxIssue)
	}
	switch {
	case (v.Percent == nil) == (v.Cents == nil):
		f.Add("percent", "tariff.one_amount")
	case v.Percent != nil && (*v.Percent < 1 || *v.Percent > 100):
		f.Add("percent", "tariff.percent_out_of_range")
	case v.Cents != nil && (*v.Cents < 1 || *v.Cents > maxCents):
		f.Add("amount", "camp.price_out_of_range")
	}
	if v.MaxUses != nil && (*v.MaxUses < 1 || *v.MaxUses > 100_000) {
		f.Add("uses", "tariff.uses_out_of_range")
	}
	if v.ValidFrom.IsZero() {
		f.Add("from", "form.required")
	}
	if v.ValidUntil.IsZero() {
		f.Add("until", "form.required")
	} else if v.ValidUntil.Before(v.ValidFrom) {
		f.Add("until", "tariff.dates_crossed")
	}
	return f.Err()
}

// AnyVoucher reports whether a voucher could count on a day: if none does, nobody is asked for one.
func AnyVoucher(ctx context.Context, q db.Querier, on civil.Date) (any bool, err error) {
	err = q.QueryRow(ctx, `
		SELECT EXISTS (
		  SELECT 1
		  FROM voucher
		  WHERE ended_at IS NULL
		    AND valid_until >= @on)`,
		pgx.NamedArgs{"on": on}).Scan(&any)
	if err != nil {
		return false, fmt.Errorf("reading vouchers: %w", err)
	}
	return any, nil
}

// Vouchers returns the last issued vouchers, newest first; words keep those whose name or code holds them.
func (s *Store) Vouchers(ctx context.Context, words string) ([]Voucher, error) {
	return s.vouchers(ctx, `(@words = '' OR v.name ILIKE '%' || @words || '%' OR v.code = @code)`,
		pgx.NamedArgs{"words": strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(words), "code": Code(words)})
}

func (s *Store) vouchers(ctx context.Context, where string, args pgx.NamedArgs) ([]Voucher, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT `+voucherColumns+`
		FROM voucher v
		WHERE `+where+`
		ORDER BY v.created_at DESC, v.code
		LIMIT 500`, args)
	if err != nil {
		return nil, fmt.Errorf("reading vouchers: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Voucher])
}

// EndVoucher makes a voucher count no more; what was reduced by it stays.
func (s *Store) EndVoucher(ctx context.Context, actor audit.Actor, id uuid.UUID) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE voucher
			SET ended_at = @now
			WHERE id = @id
			  AND ended_at IS NULL`,
			pgx.NamedArgs{"id": id, "now": s.Now()})
		if err != nil {
			return fmt.Errorf("ending voucher %s: %w", id, err)
		}
		if err := gone(tag.RowsAffected(), "tariff.voucher_not_found"); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "tariff.voucher_ended", "voucher", id.String(), nil)
	})
}
