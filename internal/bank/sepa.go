package bank

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/ledger"
	"ribambelle/internal/pay/pain001"
	"ribambelle/internal/pay/transfer"
	"ribambelle/internal/problem"
)

// File is a file of transfers that was made for the bank.
type File struct {
	ID        uuid.UUID
	Year      int
	Number    int
	MessageID string
	Version   string
	IBAN      string
	On        civil.Date
	Transfers int
	Total     civil.Cents
	SHA256    []byte
	Actor     string
	At        time.Time
	Waiting   int     // transfers that the bank has not carried out yet
	Voided    *string // why it was given up
}

// Ready are the refunds by transfer that wait for a file, oldest first.
func (s *Store) Ready(ctx context.Context) ([]ledger.Transfer, error) {
	return ledger.Transfers(ctx, s.DB, `f.state = 'decided' ORDER BY f.created_at, f.id`, nil)
}

// Sent are the refunds that the bank has in hand, oldest first.
func (s *Store) Sent(ctx context.Context) ([]ledger.Transfer, error) {
	return ledger.Transfers(ctx, s.DB, `f.state = 'sent' ORDER BY f.sent_at, f.id`, nil)
}

// Order asks for a file.
type Order struct {
	Key     uuid.UUID // of the form: sent twice it is the same file
	Refunds []uuid.UUID
	On      civil.Date // when the bank is to carry it out
}

// MakeFile writes the transfers of decided refunds into one file, once, and notes that the bank has them. Invalid with
// every faulty field: without an account of the commune, a beneficiary's account or a day to come; Conflict when one of
// the refunds was sent meanwhile.
func (s *Store) MakeFile(ctx context.Context, actor audit.Actor, o Order) (id uuid.UUID, err error) {
	var f problem.Fields
	today := civil.DateOf(s.Now(), civil.Brussels)
	if len(o.Refunds) == 0 {
		f.Add("refund", "transfer.none_chosen")
	}
	if len(o.Refunds) > pain001.MaxTransfers {
		f.Add("refund", "transfer.too_many", pain001.MaxTransfers)
	}
	if o.On.IsZero() || o.On.Before(today) || o.On.After(today.AddDays(60)) {
		f.Add("on", "transfer.day_wrong")
	}
	settings, err := camp.AllSettings(ctx, s.DB)
	if err != nil {
		return id, err
	}
	iban, err := transfer.ParseIBAN(settings["commune.iban"])
	if err != nil {
		f.Add("", "transfer.no_account")
	}
	if err := f.Err(); err != nil {
		return id, err
	}
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		err := tx.QueryRow(ctx, `
			SELECT id
			FROM sepa_file
			WHERE submission_key = @key`,
			pgx.NamedArgs{"key": o.Key}).Scan(&id)
		if err == nil {
			return nil
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("reading a file of transfers: %w", err)
		}
		list, err := readReady(ctx, tx, o.Refunds)
		if err != nil {
			return err
		}
		number, err := ledger.NextNumber(ctx, tx, "sepa", today.Year)
		if err != nil {
			return err
		}
		file, err := s.fileOf(settings, iban, o.On, today.Year, number, list)
		if err != nil {
			return err
		}
		version := pain001.V09
		if settings["sepa.version"] == "03" {
			version = pain001.V03
		}
		id, err = s.keepFile(ctx, tx, actor, o.Key, file, version, list, number)
		return err
	})
	if db.Constraint(err) == "sepa_file_submission_key_key" || problem.Is(err, problem.KindConflict) { // the same form, sent twice at once?
		var made uuid.UUID
		again := s.DB.QueryRow(ctx, `
			SELECT id
			FROM sepa_file
			WHERE submission_key = @key`,
			pgx.NamedArgs{"key": o.Key}).Scan(&made)
		if again == nil {
			return made, nil
		}
	}
	return id, err
}

// readReady reads the refunds, by registration, and checks that each can be sent.
func readReady(ctx context.Context, tx db.Tx, ids []uuid.UUID) ([]ledger.Transfer, error) {
	list, err := ledger.Transfers(ctx, tx, `f.id = ANY(@ids) AND f.state = 'decided' ORDER BY f.registration_id, f.id`, pgx.NamedArgs{"ids": ids})
	if err != nil {
		return nil, err
	}
	once := map[uuid.UUID]bool{}
	for _, id := range ids {
		once[id] = true
	}
	if len(list) != len(once) {
		return nil, problem.Conflict("transfer.not_now")
	}
	var f problem.Fields
	for _, t := range list {
		if _, err := transfer.ParseIBAN(t.IBAN); err != nil {
			f.Add("refund", "transfer.no_iban", t.Payer)
		}
		if pain001.Text(t.Name(), pain001.MaxName) == "" {
			f.Add("refund", "transfer.no_name", t.Payer)
		}
	}
	return list, f.Err()
}

// fileOf writes what a file of that number says.
func (s *Store) fileOf(settings map[string]string, iban string, on civil.Date, year, number int, list []ledger.Transfer) (pain001.File, error) {
	f := pain001.File{
		// The enterprise number keeps the ids of two communes apart at one bank.
		MessageID: fmt.Sprintf("RB-%s-%d-%05d", digits(settings["commune.bce"]), year, number),
		CreatedAt: s.Now(), On: on, Name: settings["commune.name"], Enterprise: digits(settings["commune.bce"]), IBAN: iban,
		BIC: strings.ToUpper(strings.ReplaceAll(settings["commune.bic"], " ", "")),
	}
	if len(f.Enterprise) != 10 {
		f.Enterprise = ""
		f.MessageID = fmt.Sprintf("RB-%d-%05d", year, number)
	}
	for _, t := range list {
		account, err := transfer.ParseIBAN(t.IBAN)
		if err != nil {
			return f, problem.Invalid("transfer.no_iban", t.Payer)
		}
		f.Transfers = append(f.Transfers, pain001.Transfer{
			EndToEndID: ledger.EndToEnd(t.ID), Cents: t.Cents, Name: t.Name(), IBAN: account,
			Remittance: "Remboursement " + strings.Trim(transfer.Communication(t.Communication).String(), "+") + " " + settings["commune.name"],
		})
	}
	return f, nil
}

// digits keeps the digits of a text.
func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// keepFile stores the bytes once and for all, and marks each refund as sent.
func (s *Store) keepFile(ctx context.Context, tx db.Tx, actor audit.Actor, key uuid.UUID, f pain001.File, version pain001.Version, list []ledger.Transfer, number int) (id uuid.UUID, err error) {
	content, err := pain001.Write(f, version)
	if err != nil {
		return id, err
	}
	year := civil.DateOf(f.CreatedAt, civil.Brussels).Year
	sum := sha256.Sum256(content)
	err = tx.QueryRow(ctx, `
		INSERT INTO sepa_file (year, number, message_id, version, iban, on_day, transfers, total_cents, content, sha256, submission_key, actor, at)
		VALUES (@year, @number, @message, @version, @iban, @on, @transfers, @total, @content, @sum, @key, @actor, @at)
		RETURNING id`,
		pgx.NamedArgs{
			"year": year, "number": number, "message": f.MessageID, "version": string(version), "iban": f.IBAN, "on": f.On,
			"transfers": len(f.Transfers), "total": f.Total(), "content": content, "sum": sum[:], "key": key, "actor": actor.String(), "at": s.Now(),
		}).Scan(&id)
	if err != nil {
		return id, fmt.Errorf("keeping a file of transfers: %w", err)
	}
	for i, t := range list {
		if err := s.Enrol.TransferSent(ctx, tx, actor, t.ID); err != nil {
			return id, err
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO sepa_file_refund (file_id, position, refund_id, end_to_end)
			VALUES (@file, @position, @refund, @reference)`,
			pgx.NamedArgs{"file": id, "position": i, "refund": t.ID, "reference": ledger.EndToEnd(t.ID)})
		if err != nil {
			return id, fmt.Errorf("keeping a file of transfers: %w", err)
		}
	}
	return id, audit.Record(ctx, tx, actor, "transfer.file_made", "sepa_file", id.String(), map[string]any{"transfers": len(list), "cents": f.Total()})
}

// Files returns the newest files, at most limit.
func (s *Store) Files(ctx context.Context, limit int) ([]File, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT f.id, f.year, f.number, f.message_id, f.version, f.iban, f.on_day AS on, f.transfers, f.total_cents AS total, f.sha256,
		  f.actor, f.at,
		  (SELECT count(*) FROM sepa_file_refund x JOIN refund r ON r.id = x.refund_id WHERE x.file_id = f.id AND r.state = 'sent')::int AS waiting,
		  v.reason AS voided
		FROM sepa_file f
		LEFT JOIN sepa_file_void v ON v.file_id = f.id
		ORDER BY f.at DESC, f.number DESC
		LIMIT @limit`,
		pgx.NamedArgs{"limit": limit})
	if err != nil {
		return nil, fmt.Errorf("reading the files of transfers: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[File])
	if err != nil {
		return nil, fmt.Errorf("reading the files of transfers: %w", err)
	}
	return list, nil
}

// Content hands out the bytes of a file and its message's id; the audit keeps who took it.
func (s *Store) Content(ctx context.Context, actor audit.Actor, id uuid.UUID) (name string, content []byte, err error) {
	var sum []byte
	err = s.DB.QueryRow(ctx, `
		SELECT message_id, content, sha256
		FROM sepa_file
		WHERE id = @id`,
		pgx.NamedArgs{"id": id}).Scan(&name, &content, &sum)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil, problem.NotFound("transfer.file_not_found")
	}
	if err != nil {
		return "", nil, fmt.Errorf("reading a file of transfers: %w", err)
	}
	if got := sha256.Sum256(content); !bytes.Equal(got[:], sum) {
		return "", nil, fmt.Errorf("file of transfers %s does not match its hash", id)
	}
	return name, content, audit.Record(ctx, s.DB, actor, "transfer.file_taken", "sepa_file", id.String(), nil)
}

// VoidFile notes that the bank never carried a file out: its refunds wait for another. Invalid without a reason, Conflict
// once a transfer of it was carried out or sent back, or when it was given up before.
func (s *Store) VoidFile(ctx context.Context, actor audit.Actor, id uuid.UUID, reason string) error {
	reason = strings.TrimSpace(reason)
	var f problem.Fields
	switch {
	case reason == "":
		f.Add("reason", "form.required")
	case utf8.RuneCountInString(reason) > maxNote:
		f.Add("reason", "form.too_long")
	}
	if err := f.Err(); err != nil {
		return err
	}
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		list, err := ledger.Transfers(ctx, tx, `EXISTS (SELECT 1 FROM sepa_file_refund x WHERE x.refund_id = f.id AND x.file_id = @file) ORDER BY f.registration_id, f.id`,
			pgx.NamedArgs{"file": id})
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return problem.NotFound("transfer.file_not_found")
		}
		for _, t := range list {
			if t.State != "sent" || t.FileID == nil || *t.FileID != id {
				return problem.Conflict("transfer.file_begun")
			}
			if err := s.Enrol.TransferUnsent(ctx, tx, actor, t.ID); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO sepa_file_void (file_id, reason, actor, at)
			VALUES (@id, @reason, @actor, @at)`,
			pgx.NamedArgs{"id": id, "reason": reason, "actor": actor.String(), "at": s.Now()})
		if err != nil {
			return fmt.Errorf("giving up a file of transfers: %w", err)
		}
		return audit.Record(ctx, tx, actor, "transfer.file_voided", "sepa_file", id.String(), map[string]any{"transfers": len(list)})
	})
	if db.Constraint(err) == "sepa_file_void_pkey" {
		return problem.Conflict("transfer.file_begun")
	}
	return err
}

// Executed books by hand a refund that the bank carried out, where no statement will say so; day is when, not in the
// future and not before the last year.
func (s *Store) Executed(ctx context.Context, actor audit.Actor, refundID uuid.UUID, day civil.Date) error {
	today := civil.DateOf(s.Now(), civil.Brussels)
	if day.IsZero() || day.After(today) || day.Before(today.AddDays(-366)) {
		var f problem.Fields
		f.Add("day", "form.date")
		return f.Err()
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		return s.Enrol.TransferExecuted(ctx, tx, actor, refundID, day)
	})
}

// Failed notes by hand that the bank did not carry a refund out, with the words of why.
func (s *Store) Failed(ctx context.Context, actor audit.Actor, refundID uuid.UUID, why string) error {
	why = strings.TrimSpace(why)
	var f problem.Fields
	switch {
	case why == "":
		f.Add("reason", "form.required")
	case utf8.RuneCountInString(why) > maxNote:
		f.Add("reason", "form.too_long")
	}
	if err := f.Err(); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		return s.Enrol.TransferReturned(ctx, tx, actor, refundID, why)
	})
}
