using System.Text.Json;
using System.Text.Json.Serialization;
using StackExchange.Redis;

namespace WebRtcIms.Contracts;

/// <summary>A long-term key K between the WAF and a TURN server, with the names of RFC 7635 §4.1.1.</summary>
/// <param name="K">The key in base64url.</param>
/// <param name="Exp">When the key and its last token expire, in seconds since 1970.</param>
/// <param name="Kid">The name of the key.</param>
/// <param name="Enc">The AEAD algorithm, such as <c>A256GCM</c> (RFC 7518 §5.1).</param>
public record LongTermKey(string K, long Exp, string Kid, string Enc)
{
    public sealed override string ToString() => $"{Kid}: ***";
}

/// <summary>
/// The response of the WAF to a TURN server that fetches its keys: the current key as RFC 7635 §4.1.1 has it, and in <c>keys</c> all keys
/// of the ring, which is our addition. So a TURN server knows the next key before the first token is encrypted with it.
/// </summary>
public sealed record LongTermKeys(string K, long Exp, string Kid, string Enc, IReadOnlyList<LongTermKey>? Keys = null)
    : LongTermKey(K, Exp, Kid, Enc)
{
    /// <summary>The path at the WAF. The query is <c>service=turn&amp;name={server name}</c>.</summary>
    public const string Path = "/.well-known/stun-key";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <summary>A message with the name of a TURN server says that its ring has changed.</summary>
    public static RedisChannel Channel { get; } = RedisChannel.Literal("turn:keys");

    /// <summary>The keys of the ring. A server that follows only the RFC sends the current one.</summary>
    [JsonIgnore]
    public IReadOnlyList<LongTermKey> All => Keys is { Count: > 0 } ? Keys : [new LongTermKey(K, Exp, Kid, Enc)];

    public string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <summary>Reads a response; null if it is not one.</summary>
    public static LongTermKeys? Parse(string json)
    {
        try
        {
            return JsonSerializer.Deserialize<LongTermKeys>(json, Json) is { K: not null, Kid: not null, Enc: not null } keys ? keys : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
