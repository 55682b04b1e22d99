// Package pain001 writes customer credit transfer initiations (ISO 20022 pain.001) as banks of the SEPA read them: one
// debtor, transfers in euros, in the versions 001.03 and 001.09.
//
// Sources: ISO 20022 message definitions pain.001.001.03 and .09; EPC, SEPA Credit Transfer Scheme Customer-to-PSP
// Implementation Guidelines (element use, character set, charges shared); Febelfin's use of the enterprise number with
// the issuer KBO-BCE.
package pain001

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"time"

	"ribambelle/internal/civil"
)

// Version is the name of a message's definition.
type Version string

// The versions that are written.
const (
	V03 Version = "pain.001.001.03"
	V09 Version = "pain.001.001.09"
)

// The bounds of a file's texts, in characters, and of its transfers.
const (
	MaxID         = 35
	MaxName       = 70
	MaxRemittance = 140
	MaxTransfers  = 5000
	maxCents      = 99_999_999_999 // 999 999 999,99 EUR
)

// File is what is asked of the bank. Texts may hold any character: they are written in those that every bank reads.
type File struct {
	MessageID  string // up to 35 characters; the bank refuses a file whose id it knows
	CreatedAt  time.Time
	On         civil.Date // when the bank is to carry it out
	Name       string     // of the debtor, who also sends the file
	Enterprise string     // its enterprise number, ten digits; "" for none
	IBAN       string
	BIC        string // "" when unknown
	Transfers  []Transfer
}

// Transfer is money for one beneficiary.
type Transfer struct {
	EndToEndID string // up to 35 characters, carried to the statement and back
	Cents      civil.Cents
	Name       string
	IBAN       string
	Remittance string // free words for the beneficiary
}

// Total sums the transfers.
func (f File) Total() civil.Cents {
	var sum civil.Cents
	for _, t := range f.Transfers {
		sum += t.Cents
	}
	return sum
}

// Write returns the file's bytes: the same file gives the same bytes. What no bank would take is refused with every
// fault that was found; the error names positions and ids, never a person or an account.
func Write(f File, v Version) ([]byte, error) {
	if err := errors.Join(check(f, v)...); err != nil {
		return nil, fmt.Errorf("writing %s: %w", v, err)
	}
	d := document{Space: "urn:iso:std:iso:20022:tech:xsd:" + string(v)}
	count, total := fmt.Sprint(len(f.Transfers)), f.Total().Euros()
	initiator := party{Name: Text(f.Name, MaxName)}
	if f.Enterprise != "" {
		initiator.ID = &organisation{Number: f.Enterprise, Issuer: "KBO-BCE"}
	}
	d.Message.Header = header{
		ID: f.MessageID, Created: f.CreatedAt.In(civil.Brussels).Format("2006-01-02T15:04:05"), Count: count, Sum: total, Initiator: initiator,
	}
	p := &d.Message.Payment
	p.ID, p.Method, p.Batch, p.Count, p.Sum = f.MessageID, "TRF", false, count, total
	p.Level, p.Charges = "SEPA", "SLEV"
	p.Debtor = party{Name: initiator.Name}
	p.Account = f.IBAN
	agent := agentOf(f.BIC, v)
	if agent == nil { // the standard asks for an agent, the SEPA for none
		agent = &bank{Other: "NOTPROVIDED"}
	}
	p.Agent = *agent
	if v == V03 {
		p.On = day{Plain: f.On.String()}
	} else {
		p.On = day{Date: f.On.String()}
	}
	for _, t := range f.Transfers {
		one := credit{EndToEnd: t.EndToEndID, Creditor: Text(t.Name, MaxName), Account: t.IBAN, Words: Text(t.Remittance, MaxRemittance)}
		one.Amount.Currency, one.Amount.Value = "EUR", t.Cents.Euros()
		p.Transfers = append(p.Transfers, one)
	}
	var out bytes.Buffer
	out.WriteString(xml.Header)
	e := xml.NewEncoder(&out)
	e.Indent("", "  ")
	if err := e.Encode(d); err != nil {
		return nil, fmt.Errorf("writing %s: %w", v, err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

func agentOf(bic string, v Version) *bank {
	switch {
	case bic == "":
		return nil
	case v == V03:
		return &bank{BIC: bic}
	}
	return &bank{BICFI: bic}
}

// The elements in the order of the standard.
type document struct {
	XMLName xml.Name `xml:"Document"`
	Space   string   `xml:"xmlns,attr"`
	Message struct {
		Header  header  `xml:"GrpHdr"`
		Payment payment `xml:"PmtInf"`
	} `xml:"CstmrCdtTrfInitn"`
}

type header struct {
	ID        string `xml:"MsgId"`
	Created   string `xml:"CreDtTm"`
	Count     string `xml:"NbOfTxs"`
	Sum       string `xml:"CtrlSum"`
	Initiator party  `xml:"InitgPty"`
}

type party struct {
	Name string        `xml:"Nm"`
	ID   *organisation `xml:"Id>OrgId>Othr"`
}

type organisation struct {
	Number string `xml:"Id"`
	Issuer string `xml:"Issr"`
}

type payment struct {
	ID        string   `xml:"PmtInfId"`
	Method    string   `xml:"PmtMtd"`
	Batch     bool     `xml:"BtchBookg"` // false: a line of the statement for each transfer
	Count     string   `xml:"NbOfTxs"`
	Sum       string   `xml:"CtrlSum"`
	Level     string   `xml:"PmtTpInf>SvcLvl>Cd"`
	On        day      `xml:"ReqdExctnDt"`
	Debtor    party    `xml:"Dbtr"`
	Account   string   `xml:"DbtrAcct>Id>IBAN"`
	Agent     bank     `xml:"DbtrAgt>FinInstnId"`
	Charges   string   `xml:"ChrgBr"`
	Transfers []credit `xml:"CdtTrfTxInf"`
}

// day is a bare date in version 03, an element in 09.
type day struct {
	Plain string `xml:",chardata"`
	Date  string `xml:"Dt,omitempty"`
}

type bank struct {
	BIC   string `xml:"BIC,omitempty"`
	BICFI string `xml:"BICFI,omitempty"`
	Other string `xml:"Othr>Id,omitempty"`
}

type credit struct {
	EndToEnd string `xml:"PmtId>EndToEndId"`
	Amount   struct {
		Currency string `xml:"Ccy,attr"`
		Value    string `xml:",chardata"`
	} `xml:"Amt>InstdAmt"`
	Creditor string `xml:"Cdtr>Nm"`
	Account  string `xml:"CdtrAcct>Id>IBAN"`
	Words    string `xml:"RmtInf>Ustrd,omitempty"`
}
