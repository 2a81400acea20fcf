using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Fuzz.Targets;

/// <summary>Reads a message, and writes it again from what was read: that must be readable, and say the same.</summary>
internal static class StunMessageTarget
{
    private static readonly byte[] Key = "VOkJxbRl1RmTxUk/WvJxBt"u8.ToArray();

    public static void Run(byte[] octets)
    {
        if (StunMessageReader.TryRead(octets, out var message) != StunParseStatus.Ok) return;
        ReadEverything(message, octets.Length);

        var copy = new byte[octets.Length + 96];
        var writer = new StunMessageWriter(copy, message.Method, message.Class, message.TransactionId);
        foreach (var attribute in message) writer.Write(attribute.Type, attribute.Value);
        writer.AddMessageIntegrity(Key);
        writer.AddMessageIntegritySha256(Key);
        writer.AddFingerprint();

        var status = StunMessageReader.TryRead(writer.Written, out var again);
        FindingException.ThrowUnless(status == StunParseStatus.Ok, "what was written can be read");
        FindingException.ThrowUnless(again.Type == message.Type && again.TransactionId == message.TransactionId, "the header is the same");
        FindingException.ThrowUnless(again.VerifyMessageIntegrity(Key) && again.VerifyMessageIntegritySha256(Key), "integrity is right");
        FindingException.ThrowUnless(again.FingerprintIsAbsentOrRight, "the fingerprint is right");
        var attributes = again.GetEnumerator();
        foreach (var attribute in message)
        {
            FindingException.ThrowUnless(attributes.MoveNext(), "no attribute is lost");
            FindingException.ThrowUnless(
                attributes.Current.Type == attribute.Type
                    && attributes.Current.Value.SequenceEqual(attribute.Value), "no attribute is changed");
        }

        FindingException.ThrowUnless(!attributes.MoveNext(), "no attribute is added");
    }

    private static void ReadEverything(in StunMessageReader message, int length)
    {
        var total = StunHeader.Length;
        var rewritten = new byte[64];
        foreach (var attribute in message)
        {
            total += StunHeader.AttributeHeaderLength + StunHeader.Padded(attribute.Value.Length);
            if (message.TryDecodeXorAddress(attribute.Value, out var address))
            {
                var written = new StunMessageWriter(rewritten, message.Method, message.Class, message.TransactionId);
                written.WriteXorAddress(attribute.Type, address);
                StunMessageReader.TryRead(written.Written, out var reread);
                FindingException.ThrowUnless(reread.TryGetXorAddress(attribute.Type, out var same)
                    && same == address, "an address stays the same");
            }

            message.TryGetUInt32(attribute.Type, out _);
            FindingException.ThrowUnless(message.TryGet(attribute.Type, out _), "an attribute that is enumerated is found");
        }

        FindingException.ThrowUnless(total <= length, "attributes lie within the message");
        _ = message.ErrorCode;
        _ = message.ReasonPhrase;
        _ = message.FingerprintIsAbsentOrRight;
        _ = message.VerifyMessageIntegrity(Key);
        _ = message.VerifyMessageIntegritySha256(Key);
    }
}
