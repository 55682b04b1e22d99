package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/problem"
)

// The kinds of document whose drawing is kept. Their names stand in SQL and come from here alone.
var (
	invoiceFiles = files{table: "invoice_file", column: "invoice_id"}
	creditFiles  = files{table: "credit_note_file", column: "credit_note_id"}
)

type files struct{ table, column string }

// InvoiceFile returns the drawn invoice; NotFound until it was drawn.
func (s *Store) InvoiceFile(ctx context.Context, id uuid.UUID) ([]byte, error) {
	return s.file(ctx, invoiceFiles, id)
}

// KeepInvoiceFile stores the drawn invoice once and returns the one that is kept: the first drawing wins.
func (s *Store) KeepInvoiceFile(ctx context.Context, id uuid.UUID, pdf []byte) ([]byte, error) {
	return s.keep(ctx, invoiceFiles, id, pdf)
}

// CreditNoteFile returns the drawn credit note; NotFound until it was drawn.
func (s *Store) CreditNoteFile(ctx context.Context, id uuid.UUID) ([]byte, error) {
	return s.file(ctx, creditFiles, id)
}

// KeepCreditNoteFile stores the drawn credit note once and returns the one that is kept: the first drawing wins.
func (s *Store) KeepCreditNoteFile(ctx context.Context, id uuid.UUID, pdf []byte) ([]byte, error) {
	return s.keep(ctx, creditFiles, id, pdf)
}

// Hash returns the SHA-256 of a kept invoice or credit note in hexadecimal, "" until it was drawn.
func (s *Store) Hash(ctx context.Context, id uuid.UUID) (string, error) {
	var sum []byte
	err := s.DB.QueryRow(ctx, `
		SELECT sha256
		FROM invoice_file
		WHERE invoice_id = @id
		UNION ALL
		SELECT sha256
		FROM credit_note_file
		WHERE credit_note_id = @id`,
		pgx.NamedArgs{"id": id}).Scan(&sum)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the hash of document %s: %w", id, err)
	}
	return hex.EncodeToString(sum), nil
}

func (s *Store) file(ctx context.Context, f files, id uuid.UUID) ([]byte, error) {
	var pdf, sum []byte
	err := s.DB.QueryRow(ctx, `
		SELECT pdf, sha256
		FROM `+f.table+`
		WHERE `+f.column+` = @id`,
		pgx.NamedArgs{"id": id}).Scan(&pdf, &sum)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, problem.NotFound("invoice.not_drawn")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the file of document %s: %w", id, err)
	}
	if got := sha256.Sum256(pdf); !bytes.Equal(got[:], sum) {
		return nil, fmt.Errorf("the file of document %s does not match its hash", id)
	}
	return pdf, nil
}

func (s *Store) keep(ctx context.Context, f files, id uuid.UUID, pdf []byte) ([]byte, error) {
	sum := sha256.Sum256(pdf)
	_, err := s.DB.Exec(ctx, `
		INSERT INTO `+f.table+` (`+f.column+`, pdf, sha256)
		VALUES (@id, @pdf, @sum)
		ON CONFLICT DO NOTHING`,
		pgx.NamedArgs{"id": id, "pdf": pdf, "sum": sum[:]})
	if err != nil {
		return nil, fmt.Errorf("keeping the file of document %s: %w", id, err)
	}
	return s.file(ctx, f, id)
}
