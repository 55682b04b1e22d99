package bank_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ribambelle/internal/bank"
	"ribambelle/internal/problem"
)

// TestFormats brings the same day as CODA, as CAMT.053 and in a ZIP of both: it is one day.
func TestFormats(t *testing.T) {
	t.Parallel()
	w := setup(t)
	o := w.owes(t, w.Family(t, 1), 0, w.Camp(t, "Stage", 0).ID)
	file := coda(42, moved{cents: 6000, structured: o.communication, name: "DUPR\u00c9 GA\u00cbLLE", ref: "TSTREF00010000"})
	xml := fmt.Sprintf(`<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"><BkToCstmrStmt><Stmt><ElctrncSeqNb>42</ElctrncSeqNb>
		<Acct><Id><IBAN>BE15091000000130</IBAN></Id></Acct>
		<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">1000</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2027-05-02</Dt></Dt></Bal>
		<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">1060</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2027-05-03</Dt></Dt></Bal>
		<Ntry><Amt Ccy="EUR">60</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts><BookgDt><Dt>2027-05-03</Dt></BookgDt><AcctSvcrRef>%s</AcctSvcrRef>
		<NtryDtls><TxDtls><RmtInf><Strd><CdtrRefInf><Ref>%s</Ref></CdtrRefInf></Strd></RmtInf></TxDtls></NtryDtls></Ntry></Stmt></BkToCstmrStmt></Document>`, "%s", o.communication)
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	for name, text := range map[string]string{
		"releves/mai.cod": file, "mai.xml": fmt.Sprintf(xml, "TSTREF00010000"), "lisez-moi.txt": "Bonjour", "vide.cod": "", "__MACOSX/mai.cod": "x",
	} {
		f, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	in, err := w.bank.Import(context.Background(), actor, `C:\banque\mai.zip`, packed.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	// Whichever of the two came first, the other tells nothing new.
	if r := in.Result; r.New != 1 || r.Known != 1 || r.Matched != 1 || len(r.Statements) != 2 || len(r.Refused) != 2 || in.FileName != "mai.zip" {
		t.Errorf("a ZIP: %+v", in)
	}
	refused := map[string]string{}
	for _, v := range in.Result.Refused {
		refused[v.File] = v.Reason
	}
	if diff := cmp.Diff(map[string]string{"lisez-moi.txt": "bank.file.unreadable", "vide.cod": "bank.file.empty"}, refused); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// The same statement under other references is not trusted: a person looks.
	got := w.bring(t, fmt.Sprintf(xml, "OTHERREF"))
	if counts(got) != [5]int{1, 0, 0, 1, 0} {
		t.Errorf("the same day under another reference: %v, want it queued", counts(got))
	}
	if n := w.count(t, `SELECT count(*) FROM bank_entry WHERE reason = 'bank.reason.twin'`); n != 1 {
		t.Error("the twin is not told as one")
	}
	w.holds(t)
}

func TestRefusedFiles(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := context.Background()
	for name, v := range map[string]struct{ text, want string }{
		"words":      {"Bonjour", "bank.file.unreadable"},
		"nothing":    {" \r\n", "bank.file.empty"},
		"a page":     {"<html></html>", "bank.file.unreadable"},
		"broken zip": {"PK\x03\x04 broken", "bank.file.zip"},
		"large":      {strings.Repeat("0", bank.MaxFile+1), "bank.file.large"},
	} {
		_, err := w.bank.Import(ctx, actor, "x", []byte(v.text))
		if p := problem.As(err); p == nil || p.Kind != problem.KindInvalid || p.Code != v.want {
			t.Errorf("%s: %v, want %s", name, err, v.want)
		}
	}
	// A ZIP that unpacks to more than it may.
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	f, err := z.Create("bombe.cod")
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 2 * bank.MaxFile >> 20 {
		if _, err := f.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.bank.Import(ctx, actor, "x.zip", packed.Bytes()); problem.As(err) == nil || problem.As(err).Code != "bank.file.large" {
		t.Errorf("a ZIP bomb of %d bytes: %v", packed.Len(), err)
	}
	if n := w.count(t, `SELECT count(*) FROM bank_statement`) + w.count(t, `SELECT count(*) FROM bank_import`); n != 0 {
		t.Errorf("refused files left %d rows", n)
	}
}

// TestWarnings takes in a statement that does not add up, and says so.
func TestWarnings(t *testing.T) {
	t.Parallel()
	w := setup(t)
	o := w.owes(t, w.Family(t, 1), 0, w.Camp(t, "Stage", 0).ID)
	file := strings.Replace(coda(42, moved{cents: 6000, structured: o.communication, name: "X"}), "000000001000000", "000000001110000", 1)
	got := w.bring(t, file)
	if counts(got) != [5]int{1, 0, 1, 0, 0} || len(got.Statements[0].Warnings) != 1 || got.Statements[0].Warnings[0].Code != "bank.warning.balance" {
		t.Errorf("a wrong total: %+v", got)
	}
	list, err := w.bank.Statements(context.Background(), 10)
	if err != nil || len(list) != 1 || len(list[0].Warnings) != 1 || list[0].Matched != 1 {
		t.Errorf("kept as %+v, %v", list, err)
	}
}
