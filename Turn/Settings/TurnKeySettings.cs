using System.Text.Json.Serialization;
using WebRtcIms.Stun.OAuth;

namespace WebRtcIms.Turn.Settings;

/// <summary>A long-term key K shared with the authorization server (RFC 7635 §4.1).</summary>
internal sealed record TurnKeySettings
{
    /// <summary>Where it stands, for messages.</summary>
    [JsonIgnore]
    public string Setting { get; set; } = "Turn:Keys";

    public string Kid { get; set; } = "";

    /// <summary>K in base64.</summary>
    public string Key { get; set; } = "";

    public string Algorithm { get; set; } = "A256GCM";

    public DateTimeOffset? NotAfter { get; set; }

    /// <summary>Every mistake in a ring of keys.</summary>
    public static IEnumerable<string> Problems(IReadOnlyList<TurnKeySettings> keys)
    {
        foreach (var key in keys)
        {
            if (key.Problem() is { } problem) yield return $"{key.Setting}:{problem}";
        }

        foreach (var kid in keys.GroupBy(key => key.Kid).Where(group => group.Count() > 1)) yield return $"Turn:Keys has the Kid '{kid.Key}' twice";
    }

    /// <summary>Never says what the key is.</summary>
    public override string ToString() => $"{Kid}: ***";

    private string? Problem()
    {
        if (Kid.Length is 0 or > 128 || Kid.Contains('~', StringComparison.Ordinal)) return "Kid must have 1 to 128 characters and no '~'";
        if (!AccessTokenAlgorithms.TryParse(Algorithm, out var algorithm)) return "Algorithm must be A256GCM or A128GCM";
        var octets = new byte[Key.Length];
        if (!Convert.TryFromBase64String(Key, octets, out var length)) return "Key must be base64";
        return length < algorithm.KeyLength() ? $"Key must have {algorithm.KeyLength()} octets or more for {Algorithm}" : null;
    }

    public AccessTokenKey ToKey()
    {
        _ = AccessTokenAlgorithms.TryParse(Algorithm, out var algorithm);
        return new AccessTokenKey(Kid, algorithm, Convert.FromBase64String(Key), NotAfter);
    }
}
