using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace WebRtcIms.EpCscf.Registration;

/// <summary>
/// A place where a subscriber can be reached: a page (RFC 3261 §10, RFC 5626 §4.2). It outlives its connection for a moment, and
/// keeps its <see cref="Id"/> when the same instance registers again over another one.
/// </summary>
/// <param name="Id">Subscriber and place, 24 octets; stands in Record-Route and in Redis without telling who it is.</param>
/// <param name="Contact">The Contact's URI, in which browsers invent user and host.</param>
/// <param name="Instance">+sip.instance, where given.</param>
/// <param name="RegId">reg-id, where given.</param>
/// <param name="CallId">Call-ID of the last REGISTER.</param>
/// <param name="CSeq">CSeq of the last REGISTER.</param>
/// <param name="ExpiresAt">No later than the token.</param>
/// <param name="FlowId">The connection that it was last registered over.</param>
/// <param name="Replica">The replica that has the connection.</param>
/// <param name="SessionId">The session at the WWSF that it belongs to.</param>
internal sealed record Binding(
    BindingId Id, string Contact, string? Instance, string? RegId, string CallId, uint CSeq, DateTimeOffset ExpiresAt, string FlowId, string Replica,
    string SessionId)
{
    public override string ToString() => Id.ToString();
}

/// <summary>Names a binding: 16 characters for the subscriber, 16 for the place. Both are keyed hashes.</summary>
internal readonly record struct BindingId(string Subscriber, string Place)
{
    public const int OctetLength = 2 * PartLength;

    private const int PartLength = 12;

    /// <exception cref="FormatException">The text is none that <see cref="ToString"/> gave.</exception>
    public static BindingId Parse(string text) => text is { Length: 32 } ? new(text[..16], text[16..]) : throw new FormatException("No binding id");

    public static BindingId FromOctets(ReadOnlySpan<byte> octets) =>
        new(Base64Url.EncodeToString(octets[..PartLength]), Base64Url.EncodeToString(octets[PartLength..OctetLength]));

    public void WriteTo(Span<byte> octets)
    {
        Base64Url.DecodeFromChars(Subscriber, octets);
        Base64Url.DecodeFromChars(Place, octets[PartLength..]);
    }

    public override string ToString() => Subscriber + Place;

    /// <summary>One part, from an identity or from what tells places apart.</summary>
    internal static string Part(ReadOnlySpan<byte> key, string purpose, string text) =>
        Base64Url.EncodeToString(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes($"{purpose}\0{text}")).AsSpan(0, PartLength));
}
