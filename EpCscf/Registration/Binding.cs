using System.Buffers.Text;
using WebRtcIms.EpCscf.Core;

namespace WebRtcIms.EpCscf.Registration;

/// <summary>
/// Where a subscriber can be reached: a page (RFC 3261 §10, RFC 5626 §4.2). A binding outlives its connection for a short time, and
/// keeps its <see cref="Id"/> when the same instance registers again over another connection.
/// </summary>
/// <param name="Id">Subscriber and device, 24 octets. It stands in Record-Route and in Redis without revealing the subscriber.</param>
/// <param name="Contact">The Contact's URI. Browsers invent its user and host.</param>
/// <param name="Instance">+sip.instance, if given.</param>
/// <param name="RegId">reg-id, if given.</param>
/// <param name="CallId">Call-ID of the last REGISTER.</param>
/// <param name="CSeq">CSeq of the last REGISTER.</param>
/// <param name="ExpiresAt">No later than the token.</param>
/// <param name="FlowId">The connection of the last REGISTER.</param>
/// <param name="Replica">The replica that has the connection.</param>
/// <param name="SessionId">The session at the WWSF that the binding belongs to.</param>
internal sealed record Binding(
    BindingId Id, string Contact, string? Instance, string? RegId, string CallId, uint CSeq, DateTimeOffset ExpiresAt, string FlowId,
    string Replica, string SessionId)
{
    public override string ToString() => Id.ToString();
}

/// <summary>Names a binding: 16 characters for the subscriber, 16 for the device. Both are keyed hashes.</summary>
internal readonly record struct BindingId(string Subscriber, string Device)
{
    public const int OctetLength = 2 * PartLength;

    private const int PartLength = 12;

    /// <exception cref="FormatException">The text does not come from <see cref="ToString"/>.</exception>
    public static BindingId Parse(string text) =>
        text is { Length: 32 } ? new(text[..16], text[16..]) : throw new FormatException("A binding id has 32 characters");

    public static BindingId FromOctets(ReadOnlySpan<byte> octets) =>
        new(Base64Url.EncodeToString(octets[..PartLength]), Base64Url.EncodeToString(octets[PartLength..OctetLength]));

    public void WriteTo(Span<byte> octets)
    {
        Base64Url.DecodeFromChars(Subscriber, octets);
        Base64Url.DecodeFromChars(Device, octets[PartLength..]);
    }

    public override string ToString() => Subscriber + Device;

    /// <summary>One part, from an identity or from what identifies a device.</summary>
    internal static string Part(ReadOnlySpan<byte> key, string purpose, string text) =>
        Base64Url.EncodeToString(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes($"{purpose}\0{text}")).AsSpan(0, PartLength));
}

/// <summary>The registration of a connection.</summary>
/// <param name="Binding">The binding of the last REGISTER.</param>
/// <param name="Subscriber">The subscription.</param>
/// <param name="Impus">The registered identities; the first is the default one.</param>
/// <param name="Token">The token of the last REGISTER.</param>
internal sealed record FlowRegistration(Binding Binding, Subscriber Subscriber, IReadOnlyList<string> Impus, RegistrationToken Token);

/// <summary>Why a binding does not lead to its connection any more.</summary>
internal enum BindingLoss
{
    /// <summary>The page has registered over another connection.</summary>
    Replaced,

    /// <summary>The page has removed the binding, and may keep the connection.</summary>
    Removed,

    /// <summary>The connection was lost, and the page did not come back in time.</summary>
    Disconnected,

    /// <summary>The session at the WWSF has ended.</summary>
    SignedOut,
}
