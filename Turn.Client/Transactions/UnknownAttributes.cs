namespace WebRtcIms.Turn.Client.Transactions;

/// <summary>Unknown comprehension-required attributes. With one, a response fails and an indication is dropped (RFC 8489 §6.3).</summary>
internal static class UnknownAttributes
{
    public static StunAttributeType? FirstIn(in StunMessageReader message)
    {
        foreach (var attribute in message)
        {
            if (attribute.Type.IsComprehensionRequired() && !Enum.IsDefined(attribute.Type)) return attribute.Type;
        }

        return null;
    }
}
