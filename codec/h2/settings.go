package h2

import "encoding/binary"

// settingLen is the bytes of one setting in a SETTINGS frame.
const settingLen = 6

// SettingID names a setting.
type SettingID uint16

// The settings of RFC 9113 §6.5.2, RFC 8441 §3 and RFC 9218 §2.1.
const (
	TableSize       SettingID = 0x1
	EnablePush      SettingID = 0x2
	MaxStreams      SettingID = 0x3
	InitialWindow   SettingID = 0x4
	MaxFrameSize    SettingID = 0x5
	MaxListSize     SettingID = 0x6
	EnableConnect   SettingID = 0x8
	NoOldPriorities SettingID = 0x9
	defaultTable              = 4096
	defaultWindow             = 65535
	unlimited                 = 1<<32 - 1
)

// Setting is one of a SETTINGS frame.
type Setting struct {
	ID    SettingID
	Value uint32
}

// check holds a value against the range of its setting.
func (s Setting) check() *Error {
	switch s.ID {
	case EnablePush:
		if s.Value > 1 {
			return errSettingPush
		}
	case InitialWindow:
		if s.Value > MaxWindow {
			return errSettingWindow
		}
	case MaxFrameSize:
		if s.Value < MinFrame || s.Value > MaxFrame {
			return errSettingFrame
		}
	case EnableConnect:
		if s.Value > 1 {
			return errSettingConnect
		}
	case NoOldPriorities:
		if s.Value > 1 {
			return errSettingOrder
		}
	case TableSize, MaxStreams, MaxListSize:
	}
	return nil
}

// Settings are what the other side asks of whoever sends to it.
type Settings struct {
	Table   uint32 // bytes of HPACK table that it keeps for us
	Streams uint32 // that we may have open to it
	Window  uint32 // that a new stream begins with
	Frame   uint32 // longest payload
	List    uint32 // longest header list
	Push    bool   // it would take a push
	Connect bool   // it takes extended CONNECT, RFC 8441
}

// DefaultSettings are those before the first SETTINGS frame, RFC 9113 §6.5.2.
var DefaultSettings = Settings{
	Table: defaultTable, Streams: unlimited, Window: defaultWindow, Frame: MinFrame, List: unlimited, Push: true,
}

// Read takes over what a SETTINGS frame says, in its order, RFC 9113 §6.5.3; unknown settings are ignored. After an
// error the settings before the wrong one have been taken over.
func (s *Settings) Read(f Frame) error {
	for p := f.Payload; len(p) >= settingLen; p = p[settingLen:] {
		set := Setting{SettingID(binary.BigEndian.Uint16(p)), binary.BigEndian.Uint32(p[2:])}
		if err := set.check(); err != nil {
			return err
		}
		switch set.ID {
		case TableSize:
			s.Table = set.Value
		case EnablePush:
			s.Push = set.Value == 1
		case MaxStreams:
			s.Streams = set.Value
		case InitialWindow:
			s.Window = set.Value
		case MaxFrameSize:
			s.Frame = set.Value
		case MaxListSize:
			s.List = set.Value
		case EnableConnect:
			s.Connect = set.Value == 1
		case NoOldPriorities:
		}
	}
	return nil
}

// AppendSettings appends a SETTINGS frame.
func AppendSettings(dst []byte, settings ...Setting) []byte {
	dst = AppendHeader(dst, Header{Type: TypeSettings, Length: uint32(settingLen * len(settings))})
	for _, s := range settings {
		dst = binary.BigEndian.AppendUint16(dst, uint16(s.ID))
		dst = binary.BigEndian.AppendUint32(dst, s.Value)
	}
	return dst
}

// AppendSettingsAck appends the SETTINGS frame that acknowledges the peer's, RFC 9113 §6.5.3.
func AppendSettingsAck(dst []byte) []byte {
	return AppendHeader(dst, Header{Type: TypeSettings, Flags: Ack})
}
