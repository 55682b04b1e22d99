package camt

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ribambelle/internal/civil"
	"ribambelle/internal/pay/statement"
)

// document writes a statement of a version around entries; the closing balance is what they sum up to.
func document(version, more string, closing string, entries ...string) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.%s"><BkToCstmrStmt><Stmt>
		<ElctrncSeqNb>7</ElctrncSeqNb>%s<Acct><Id><IBAN>BE15091000000130</IBAN></Id><Ccy>EUR</Ccy></Acct>
		<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">0.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2027-05-02</Dt></Dt></Bal>
		<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">%s</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><DtTm>2027-05-03T23:59:59+02:00</DtTm></Dt></Bal>
		%s</Stmt></BkToCstmrStmt></Document>`, version, more, closing, strings.Join(entries, ""))
}

func credit(sub, details string) string {
	return `<Ntry><Amt Ccy="EUR">60.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><DtTm>2027-05-03T08:00:00</DtTm></BookgDt>
		<AcctSvcrRef>R1</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>` + sub + `</SubFmlyCd></Fmly></Domn></BkTxCd>
		<NtryDtls><TxDtls>` + details + `</TxDtls></NtryDtls></Ntry>`
}

const parties = `<RltdPties><Dbtr><Nm>COMMUNE</Nm></Dbtr><DbtrAcct><Id><IBAN>BE15091000000130</IBAN></Id></DbtrAcct>
	<Cdtr><Nm>DUPONT ANNE</Nm></Cdtr><CdtrAcct><Id><IBAN>BE80001000000177</IBAN></Id></CdtrAcct></RltdPties>`

// TestTraps reads what the banks' files differ in.
func TestTraps(t *testing.T) {
	t.Parallel()
	day := civil.NewDate(2027, 5, 3)
	base := statement.Entry{Date: day, Cents: 6000, BankRef: "R1", Kind: "PMNT/RCDT/ESCT"}
	with := func(change func(*statement.Entry)) statement.Entry {
		e := base
		change(&e)
		return e
	}
	for name, v := range map[string]struct {
		entry string
		want  statement.Entry
	}{
		"a communication in free words, as printed": {
			credit("ESCT", `<RmtInf><Ustrd> +++202/6000/00192+++ </Ustrd></RmtInf>`),
			with(func(e *statement.Entry) { e.Communication = "202600000192" }),
		},
		"the same cut in two": {
			credit("ESCT", `<RmtInf><Ustrd>***202/6000</Ustrd><Ustrd>/00192***</Ustrd></RmtInf>`),
			with(func(e *statement.Entry) { e.Communication = "202600000192" }),
		},
		"with a word beside it is free": {
			credit("ESCT", `<RmtInf><Ustrd>stage +++202/6000/00192+++</Ustrd></RmtInf>`),
			with(func(e *statement.Entry) { e.FreeText = "stage +++202/6000/00192+++" }),
		},
		"with wrong check digits too": {
			credit("ESCT", `<RmtInf><Ustrd>+++202/6000/00193+++</Ustrd></RmtInf>`),
			with(func(e *statement.Entry) { e.FreeText = "+++202/6000/00193+++" }),
		},
		"in the end-to-end reference": {
			credit("ESCT", `<Refs><EndToEndId>202600000192</EndToEndId></Refs>`),
			with(func(e *statement.Entry) { e.EndToEnd, e.FreeText = "202600000192", "+++202/6000/00192+++" }),
		},
		"no end-to-end reference": {credit("ESCT", `<Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs>`), base},
		"a transfer of ours that came back": {
			credit("ESCT", `<Refs><EndToEndId>RB12</EndToEndId></Refs>`+parties+`<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>`),
			with(func(e *statement.Entry) {
				e.EndToEnd, e.Returned, e.CounterpartyName, e.CounterpartyIBAN = "RB12", "AC04", "DUPONT ANNE", "BE80001000000177"
			}),
		},
		"one that comes back without a reason": {
			credit("RRTN", `<Refs><EndToEndId>RB12</EndToEndId></Refs>`),
			with(func(e *statement.Entry) { e.EndToEnd, e.Returned, e.Kind = "RB12", "RTRN", "PMNT/RCDT/RRTN" }),
		},
		"somebody pays for another": {
			credit("ESCT", `<RltdPties><UltmtDbtr><Nm>LAMBERT EVE</Nm></UltmtDbtr></RltdPties>`),
			with(func(e *statement.Entry) { e.CounterpartyName = "LAMBERT EVE" }),
		},
	} {
		for _, version := range []string{"001.02", "001.04", "001.08"} {
			all := parse(t, document(version, "", "60.00", v.entry))
			if len(all) != 1 || len(all[0].Entries) != 1 || len(codes(all)) != 0 {
				t.Errorf("%s in %s: %+v", name, version, all)
				continue
			}
			if diff := cmp.Diff(v.want, all[0].Entries[0]); diff != "" {
				t.Errorf("%s in %s (-want +got):\n%s", name, version, diff)
			}
		}
	}
}

// TestPages keeps the pages of one statement apart, so that the second is no other telling of the first.
func TestPages(t *testing.T) {
	t.Parallel()
	page := func(n string) string {
		return parse(t, document("001.02", "<StmtPgntn><PgNb>"+n+"</PgNb><LastPgInd>false</LastPgInd></StmtPgntn>", "60.00", credit("ESCT", "")))[0].Number
	}
	if one, two := page("1"), page("2"); one != "7" || two != "7/2" {
		t.Errorf("pages %q and %q", one, two)
	}
}

// TestBatchAsked reads the parts of a batch by the amounts that were asked for, where the bank gives no others.
func TestBatchAsked(t *testing.T) {
	t.Parallel()
	part := func(cents, ref string) string {
		return `<TxDtls><AmtDtls><InstdAmt><Amt Ccy="EUR">` + cents + `</Amt></InstdAmt></AmtDtls><RmtInf><Strd><CdtrRefInf><Ref>` + ref + `</Ref></CdtrRefInf></Strd></RmtInf></TxDtls>`
	}
	entry := strings.Replace(credit("ESCT", ""), "<TxDtls></TxDtls>", part("20", "202600000192")+part("40.00", "202600009791"), 1)
	all := parse(t, document("001.04", "", "60.00", entry))
	if got := all[0].Entries; len(got) != 2 || got[0].Cents != 2000 || got[1].Communication != "202600009791" {
		t.Errorf("parts %+v, %v", got, codes(all))
	}
}
