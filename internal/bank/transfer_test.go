package bank_test

import (
	"context"
	"encoding/xml"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"ribambelle/internal/bank"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
)

// commune says whose account the transfers leave.
func (w *world) commune(t *testing.T, more ...string) {
	t.Helper()
	all := append([]string{"commune.name", "Commune de Braine", "commune.iban", "BE15 0910 0000 0130", "commune.bce", "0207.000.077", "commune.bic", "GKCCBEBB"}, more...)
	for i := 0; i < len(all); i += 2 {
		if err := camp.SetSetting(context.Background(), w.DB, enroltest.Actor, all[i], all[i+1]); err != nil {
			t.Fatal(err)
		}
	}
}

// refund decides that some cents of a due go back by transfer.
func (w *world) refund(t *testing.T, o owing, cents civil.Cents, iban string) (id uuid.UUID) {
	t.Helper()
	err := w.DB.QueryRow(context.Background(), `
		INSERT INTO refund (due_id, registration_id, payer_id, cents, way, state, iban, beneficiary, reason, decided_by, created_at, checked_at)
		SELECT d.id, d.registration_id, d.payer_id, $2, 'transfer', 'decided', $3, 'Zoé Lambert', 'trop payé', 'command:test', now(), now()
		FROM due d
		WHERE d.id = $1
		RETURNING id`, o.due, cents, iban).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (w *world) state(t *testing.T, refund uuid.UUID) string {
	t.Helper()
	one, err := ledger.ReadTransfer(context.Background(), w.DB, refund)
	if err != nil {
		t.Fatal(err)
	}
	return one.State
}

func (w *world) owed(t *testing.T, o owing) (cents civil.Cents) {
	t.Helper()
	err := w.DB.QueryRow(context.Background(), `
		SELECT sum(CASE WHEN kind IN ('charge', 'fee', 'refund') THEN cents ELSE -cents END)::bigint
		FROM ledger_line
		WHERE due_id = $1`, o.due).Scan(&cents)
	if err != nil {
		t.Fatal(err)
	}
	return cents
}

func fault(err error) string {
	p := problem.As(err)
	if p == nil {
		return ""
	}
	if len(p.Fields) > 0 {
		return p.Fields[0].Name + " " + p.Fields[0].Code
	}
	return p.Code
}

// debits writes a CAMT.053 of one day: each line is cents (negative: money that left), end-to-end reference, free text,
// reason of a return, IBAN.
func debits(number string, lines ...[5]string) string {
	var b strings.Builder
	b.WriteString(`<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt><ElctrncSeqNb>` + number + `</ElctrncSeqNb>
		<Acct><Id><IBAN>BE15091000000130</IBAN></Id><Ccy>EUR</Ccy></Acct>
		<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">0.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2027-05-03</Dt></Dt></Bal>`)
	for i, l := range lines {
		amount, way := l[0], "CRDT"
		if strings.HasPrefix(amount, "-") {
			amount, way = amount[1:], "DBIT"
		}
		why := ""
		if l[3] != "" {
			why = "<RtrInf><Rsn><Cd>" + l[3] + "</Cd></Rsn></RtrInf>"
		}
		b.WriteString(`<Ntry><Amt Ccy="EUR">` + amount + `</Amt><CdtDbtInd>` + way + `</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2027-05-03</Dt></BookgDt>
			<AcctSvcrRef>D` + number + string(rune('a'+i)) + `</AcctSvcrRef><NtryDtls><TxDtls><Refs><EndToEndId>` + l[1] + `</EndToEndId></Refs>
			<RltdPties><Cdtr><Pty><Nm>LAMBERT</Nm></Pty></Cdtr><CdtrAcct><Id><IBAN>` + l[4] + `</IBAN></Id></CdtrAcct></RltdPties>
			<RmtInf><Ustrd>` + l[2] + `</Ustrd></RmtInf>` + why + `</TxDtls></NtryDtls></Ntry>`)
	}
	return b.String() + `</Stmt></BkToCstmrStmt></Document>`
}

const payerIBAN = "BE68539007547034"

// TestRefundFile takes refunds from the decision through one file to the statement: sent once, executed once, and what a
// bank sends back is the payer's again.
func TestRefundFile(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := context.Background()
	c := w.Camp(t, "Stage", 0)
	var due []owing
	var refunds []uuid.UUID
	var file []moved
	for i := range 4 {
		o := w.owes(t, w.Family(t, 1), 0, c.ID)
		due = append(due, o)
		file = append(file, moved{cents: 7000 + 100*i, structured: o.communication, name: "P"})
	}
	w.bring(t, coda(1, file...))
	for i, o := range due {
		refunds = append(refunds, w.refund(t, o, civil.Cents(1000+100*i), payerIBAN))
	}
	today := civil.DateOf(w.Now(), civil.Brussels)
	order := bank.Order{Key: uuid.New(), Refunds: refunds, On: today}
	if _, err := w.bank.MakeFile(ctx, actor, order); fault(err) != " transfer.no_account" {
		t.Errorf("without the commune's account: %v", err)
	}
	w.commune(t)
	for name, v := range map[string]struct {
		spoil func(*bank.Order)
		want  string
	}{
		"none chosen": {func(o *bank.Order) { o.Refunds = nil }, "refund transfer.none_chosen"},
		"yesterday":   {func(o *bank.Order) { o.On = today.AddDays(-1) }, "on transfer.day_wrong"},
		"unknown":     {func(o *bank.Order) { o.Refunds = []uuid.UUID{uuid.New()} }, "transfer.not_now"},
	} {
		bad := order
		v.spoil(&bad)
		if _, err := w.bank.MakeFile(ctx, actor, bad); fault(err) != v.want {
			t.Errorf("%s: %v, want %s", name, err, v.want)
		}
	}
	lame := w.refund(t, due[0], 1, "BE00")
	if _, err := w.bank.MakeFile(ctx, actor, bank.Order{Key: uuid.New(), Refunds: []uuid.UUID{lame}, On: today}); fault(err) != "refund transfer.no_iban" {
		t.Errorf("without an account: %v", err)
	}
	if n := w.count(t, `SELECT count(*) FROM sepa_file`) + w.count(t, `SELECT count(*) FROM document_number WHERE series = 'sepa'`); n != 0 {
		t.Fatalf("refused files left %d rows", n)
	}

	// Many clicks at once make one file.
	ids := make([]uuid.UUID, 4)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			var err error
			if ids[i], err = w.bank.MakeFile(ctx, actor, order); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := w.count(t, `SELECT count(*) FROM sepa_file`); n != 1 || ids[0] != ids[1] || ids[0] != ids[3] {
		t.Fatalf("%d files: %v", n, ids)
	}
	order.Key = uuid.New()
	if _, err := w.bank.MakeFile(ctx, actor, order); fault(err) != "transfer.not_now" {
		t.Errorf("the same refunds again: %v", err)
	}
	name, content, err := w.bank.Content(ctx, actor, ids[0])
	if err != nil || name != "RB-0207000077-2027-00001" {
		t.Fatalf("%q, %v", name, err)
	}
	var read struct {
		Space xml.Name
		Sum   string   `xml:"CstmrCdtTrfInitn>GrpHdr>CtrlSum"`
		E2E   []string `xml:"CstmrCdtTrfInitn>PmtInf>CdtTrfTxInf>PmtId>EndToEndId"`
		Names []string `xml:"CstmrCdtTrfInitn>PmtInf>CdtTrfTxInf>Cdtr>Nm"`
	}
	if err := xml.Unmarshal(content, &read); err != nil {
		t.Fatal(err)
	}
	if read.Sum != "46.00" || len(read.E2E) != 4 || read.Names[0] != "Zoe Lambert" || !strings.Contains(string(content), "pain.001.001.09") {
		t.Errorf("the file says %+v", read)
	}
	for _, sql := range []string{`UPDATE sepa_file SET content = ''`, `DELETE FROM sepa_file_refund`, `TRUNCATE sepa_file CASCADE`} {
		if _, err := w.DB.Exec(ctx, sql); err == nil {
			t.Errorf("%s is let through", sql)
		}
	}

	// The statement: one by its reference, one by communication and amount, one by hand, one that comes back.
	e2e := ledger.EndToEnd
	got := w.bring(t, debits("2",
		[5]string{"-10.00", e2e(refunds[0]), "", "", payerIBAN},
		[5]string{"-11.00", "NOTPROVIDED", "Remboursement " + due[1].communication, "", payerIBAN},
		[5]string{"-12.00", "", "Remboursement", "", payerIBAN},
		[5]string{"-13.00", e2e(refunds[3]), "", "", payerIBAN},
		[5]string{"13.00", e2e(refunds[3]), "", "AC04", payerIBAN},
	))
	if want := [5]int{5, 0, 4, 0, 1}; counts(got) != want {
		t.Errorf("new, known, matched, queued, aside: %v, want %v: %v", counts(got), want, w.reasons(t))
	}
	var states []string
	for _, id := range refunds {
		states = append(states, w.state(t, id))
	}
	if diff := cmp.Diff([]string{"done", "done", "sent", "dropped"}, states); diff != "" {
		t.Errorf("refunds (-want +got):\n%s", diff)
	}
	if a, b := w.owed(t, due[0]), w.owed(t, due[3]); a != 0 || b != -1300 {
		t.Errorf("after the refunds %v and %v are owed, want 0 and -1300: returned money is the payer's", a, b)
	}
	if n := w.count(t, `SELECT count(*) FROM task WHERE kind = 'refund_stuck' AND done_at IS NULL`); n != 1 {
		t.Errorf("%d tasks for what came back", n)
	}
	if n := w.count(t, `SELECT count(*) FROM ledger_line WHERE kind = 'refund' AND (at AT TIME ZONE 'Europe/Brussels')::date = '2027-05-03'`); n != 3 {
		t.Errorf("%d refunds on the bank's day, want 3", n)
	}
	if err := w.bank.Executed(ctx, actor, refunds[2], civil.Date{}); fault(err) != "day form.date" {
		t.Errorf("executed on no day: %v", err)
	}
	if err := w.bank.Executed(ctx, actor, refunds[2], today); err != nil {
		t.Fatal(err)
	}
	if err := w.bank.Executed(ctx, actor, refunds[2], today); fault(err) != "transfer.not_now" {
		t.Errorf("executed twice: %v", err)
	}
	if n := w.count(t, `SELECT count(*) FROM ledger_line WHERE kind = 'refund'`); n != 4 {
		t.Errorf("%d refunds booked, want 4", n)
	}
	var entry uuid.UUID
	if err := w.DB.QueryRow(ctx, `SELECT id FROM bank_entry WHERE refund_id = $1 LIMIT 1`, refunds[0]).Scan(&entry); err != nil {
		t.Fatal(err)
	}
	if err := w.bank.Undo(ctx, actor, entry); fault(err) != "bank.no_undo" {
		t.Errorf("a refund that left is undone: %v", err)
	}
	if err := w.bank.VoidFile(ctx, actor, ids[0], "x"); fault(err) != "transfer.file_begun" {
		t.Errorf("a file that was carried out is given up: %v", err)
	}
	w.holds(t)
}

// TestVoidedFile gives a file up that the bank refused; its refunds go into another, in the older version.
func TestVoidedFile(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.commune(t, "sepa.version", "03")
	ctx := context.Background()
	o := w.owes(t, w.Family(t, 1), 0, w.Camp(t, "Stage", 0).ID)
	w.bring(t, coda(1, moved{cents: 7000, structured: o.communication, name: "P"}))
	id := w.refund(t, o, 1000, payerIBAN)
	today := civil.DateOf(w.Now(), civil.Brussels)
	first, err := w.bank.MakeFile(ctx, actor, bank.Order{Key: uuid.New(), Refunds: []uuid.UUID{id}, On: today})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.bank.VoidFile(ctx, actor, first, ""); fault(err) != "reason form.required" {
		t.Errorf("without a reason: %v", err)
	}
	if err := w.bank.VoidFile(ctx, actor, first, "version refusée"); err != nil {
		t.Fatal(err)
	}
	if err := w.bank.VoidFile(ctx, actor, first, "encore"); fault(err) != "transfer.file_begun" {
		t.Errorf("given up twice: %v", err)
	}
	if got := w.state(t, id); got != "decided" {
		t.Errorf("the refund is %s", got)
	}
	second, err := w.bank.MakeFile(ctx, actor, bank.Order{Key: uuid.New(), Refunds: []uuid.UUID{id}, On: today})
	if err != nil {
		t.Fatal(err)
	}
	name, content, err := w.bank.Content(ctx, actor, second)
	if err != nil || !strings.HasSuffix(name, "-00002") || !strings.Contains(string(content), "pain.001.001.03") {
		t.Errorf("%s %v", name, err)
	}
	if files, err := w.bank.Files(ctx, 10); err != nil || len(files) != 2 || files[0].Waiting != 1 || files[1].Voided == nil {
		t.Errorf("files %+v, %v", files, err)
	}
	// One debit for the whole file.
	got := w.bring(t, debits("2", [5]string{"-10.00", "", "VIREMENT COLLECTIF " + name, "", ""}))
	if counts(got) != [5]int{1, 0, 1, 0, 0} || w.state(t, id) != "done" {
		t.Errorf("a debit for the file: %v, the refund is %s", counts(got), w.state(t, id))
	}
	if err := w.bank.Failed(ctx, actor, id, "compte clos"); err != nil {
		t.Fatal(err)
	}
	if got := w.owed(t, o); got != -1000 || w.state(t, id) != "dropped" {
		t.Errorf("sent back by hand: %v owed, %s", got, w.state(t, id))
	}
	w.holds(t)
}

// TestUndo takes a wrong match back and makes the right one: each cent is in the ledger once, the first registration keeps
// its state with a task, and every decision is kept.
func TestUndo(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := context.Background()
	f := w.Family(t, 2)
	c := w.Camp(t, "Stage", 0)
	wrong, right := w.owes(t, f, 0, c.ID), w.owes(t, f, 1, c.ID)
	w.bring(t, coda(1, moved{cents: 6000, structured: wrong.communication, name: "P", iban: payerIBAN}))
	var entry uuid.UUID
	if err := w.DB.QueryRow(ctx, `SELECT id FROM bank_entry`).Scan(&entry); err != nil {
		t.Fatal(err)
	}
	if _, err := w.DB.Exec(ctx, `UPDATE bank_entry SET state = 'queued', due_id = NULL`); err == nil {
		t.Error("a match is undone without its line in the ledger")
	}
	if err := w.bank.Undo(ctx, actor, entry); err != nil {
		t.Fatal(err)
	}
	if err := w.bank.Undo(ctx, actor, entry); fault(err) != "bank.not_matched" {
		t.Errorf("undone twice: %v", err)
	}
	if got := w.Read(t, wrong.id).State; got != enrol.Confirmed {
		t.Errorf("it became %s", got)
	}
	if got := w.owed(t, wrong); got != 6000 {
		t.Errorf("%v owed after the undoing", got)
	}
	if n := w.count(t, `SELECT count(*) FROM task WHERE kind = 'owes_again' AND done_at IS NULL AND subject_id = $1`, wrong.id.String()); n != 1 {
		t.Errorf("%d tasks for what is covered no more", n)
	}
	queue, err := w.bank.Queue(ctx, 10)
	if err != nil || len(queue) != 1 || queue[0].Reason != "bank.reason.undone" {
		t.Fatalf("the queue %+v, %v", queue, err)
	}
	if err := w.bank.Match(ctx, actor, entry, right.due); err != nil {
		t.Fatal(err)
	}
	if got := w.Read(t, right.id).State; got != enrol.Confirmed || w.owed(t, right) != 0 {
		t.Errorf("the right one is %s and owes %v", got, w.owed(t, right))
	}
	// There and back once more, onto the first.
	if err := w.bank.Undo(ctx, actor, entry); err != nil {
		t.Fatal(err)
	}
	if err := w.bank.Match(ctx, actor, entry, wrong.due); err != nil {
		t.Fatal(err)
	}
	if w.owed(t, wrong) != 0 || w.owed(t, right) != 6000 {
		t.Errorf("owed %v and %v", w.owed(t, wrong), w.owed(t, right))
	}
	decisions, err := w.bank.Decisions(ctx, entry)
	var states []string
	for _, d := range decisions {
		states = append(states, d.State)
	}
	if diff := cmp.Diff([]string{"matched", "queued", "matched", "queued", "matched"}, states); diff != "" || err != nil {
		t.Errorf("decisions %v (-want +got):\n%s", err, diff)
	}
	if _, err := w.DB.Exec(ctx, `DELETE FROM bank_decision`); err == nil {
		t.Error("decisions are forgotten")
	}
	w.holds(t)
}

// TestTakenBack books a debit as a payer's bank taking a payment back.
func TestTakenBack(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := context.Background()
	o := w.owes(t, w.Family(t, 1), 0, w.Camp(t, "Stage", 0).ID)
	w.bring(t, coda(1, moved{cents: 6000, structured: o.communication, name: "P", iban: payerIBAN}))
	w.bring(t, coda(2, moved{cents: -6000, structured: o.communication, name: "P", iban: payerIBAN}))
	queue, err := w.bank.Queue(ctx, 10)
	if err != nil || len(queue) != 1 || len(queue[0].Others) != 1 || queue[0].Others[0].Kind != bank.OtherTakenBack || !queue[0].Others[0].Same {
		t.Fatalf("queue %+v, %v", queue, err)
	}
	line := queue[0].Others[0].ID
	if err := w.bank.MatchTakenBack(ctx, actor, queue[0].ID, uuid.New()); !problem.Is(err, problem.KindNotFound) {
		t.Errorf("a line that is not: %v", err)
	}
	if err := w.bank.MatchTakenBack(ctx, actor, queue[0].ID, line); err != nil {
		t.Fatal(err)
	}
	if got := w.owed(t, o); got != 6000 || w.Read(t, o.id).State != enrol.Confirmed {
		t.Errorf("%v owed, %s", got, w.Read(t, o.id).State)
	}
	if err := w.bank.Undo(ctx, actor, queue[0].ID); fault(err) != "bank.no_undo" {
		t.Errorf("what a bank took back is undone: %v", err)
	}
	w.holds(t)
}
