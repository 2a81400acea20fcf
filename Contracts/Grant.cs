using System.Text.Json;
using System.Text.Json.Serialization;

namespace WebRtcIms.Contracts;

/// <summary>
/// The data about a token that the WAF writes to Redis for the TURN server, because the token itself must not contain it. It expires
/// with the token.
/// </summary>
/// <param name="ClientId">The OAuth client that got the token.</param>
/// <param name="Pseudonym">The user's pseudonym; null if the client gave none.</param>
/// <param name="Traceparent">The trace in which the token was made (W3C Trace Context); null if it is not traced.</param>
/// <param name="Exp">When the token expires, in seconds since 1970.</param>
/// <param name="Traffic">What an allocation under the token may relay; null for the limits of the TURN server.</param>
public sealed record Grant(string? ClientId, string? Pseudonym, string? Traceparent, long Exp, GrantedTraffic? Traffic = null)
{
    private static readonly JsonSerializerOptions SnakeCase = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>The Redis key. Kid and nonce of a token are public.</summary>
    /// <param name="keyId">The token's kid.</param>
    /// <param name="tokenId">base64url of the token's nonce.</param>
    public static string Key(string keyId, string tokenId) => $"turn:grant:{keyId}:{tokenId}";

    public string ToJson() => JsonSerializer.Serialize(this, SnakeCase);

    /// <summary>Reads the value of the key.</summary>
    /// <exception cref="JsonException">The text is not a grant.</exception>
    public static Grant? Parse(string json) => JsonSerializer.Deserialize<Grant>(json, SnakeCase);
}

/// <summary>What an allocation may relay in each direction; 0 for no limit. The TURN server may have lower limits.</summary>
/// <param name="PacketsPerSecond">Datagrams.</param>
/// <param name="BytesPerSecond">Octets of payload.</param>
public sealed record GrantedTraffic(int PacketsPerSecond, int BytesPerSecond);
