using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using WebRtcIms.Contracts;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Stun.OAuth;

namespace WebRtcIms.Turn.Settings;

/// <summary>A long-term key K shared with the authorization server (RFC 7635 §4.1).</summary>
internal sealed record TurnKeySettings
{
    private const string FileSetting = "Turn:KeysFile";

    private static readonly long LatestEnd = DateTimeOffset.MaxValue.ToUnixTimeSeconds();

    public string Kid { get; set; } = "";

    /// <summary>K in base64.</summary>
    public string Key { get; set; } = "";

    public string Algorithm { get; set; } = "A256GCM";

    public DateTimeOffset? NotAfter { get; set; }

    /// <summary>Reads <c>Turn:Keys</c> and the file of <c>Turn:KeysFile</c>, and adds each problem with its setting.</summary>
    public static List<TurnKeySettings> ReadAll(IConfiguration configuration, List<string> problems)
    {
        var keys = Read(configuration.GetSection("Turn:Keys"), problems);
        if (configuration[FileSetting] is { Length: > 0 } path && ReadFile(path, problems) is { } file) keys.AddRange(Read(file, problems));
        foreach (var kid in keys.GroupBy(key => key.Kid).Where(group => group.Count() > 1))
            problems.Add($"Turn:Keys has the Kid '{kid.Key}' twice");
        return keys;
    }

    /// <summary>A key of a response of the WAF.</summary>
    public static TurnKeySettings From(LongTermKey key) => new()
    {
        Kid = key.Kid,
        Key = Base64Url.IsValid(key.K) ? Convert.ToBase64String(Base64Url.DecodeFromChars(key.K)) : "?",
        Algorithm = key.Enc,
        NotAfter = DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(key.Exp, 0, LatestEnd)),
    };

    public override string ToString() => $"{Kid}: ***";

    public bool IsLive(DateTimeOffset now) => NotAfter is null || NotAfter > now;

    public AccessTokenKey ToKey()
    {
        _ = AccessTokenAlgorithms.TryParse(Algorithm, out var algorithm);
        return new AccessTokenKey(Kid, algorithm, Convert.FromBase64String(Key), NotAfter);
    }

    private static List<TurnKeySettings> Read(IConfigurationSection section, List<string> problems)
    {
        var keys = SettingsReader.Read<List<TurnKeySettings>>(section, problems);
        for (var i = 0; i < keys.Count; i++)
        {
            if (keys[i].Problem() is { } problem) problems.Add($"{section.Path}:{i}:{problem}");
        }

        return keys;
    }

    /// <summary>The list in the file, as the section <c>Turn:KeysFile</c>; null if it cannot be read.</summary>
    private static IConfigurationSection? ReadFile(string path, List<string> problems)
    {
        try
        {
            var json = $"{{ \"Turn\": {{ \"KeysFile\": {File.ReadAllText(path)} }} }}";
            using var stream = new MemoryStream(Encoding.UTF8.GetBytes(json));
            return new ConfigurationBuilder().AddJsonStream(stream).Build().GetSection(FileSetting);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            problems.Add($"{FileSetting}: '{path}' cannot be read ({error.GetType().Name})");
        }
        catch (Exception error) when (error is JsonException or FormatException)
        {
            // The message of the exception could quote a key.
            var line = (error as JsonException ?? error.InnerException as JsonException)?.LineNumber;
            problems.Add($"{FileSetting}: line {line + 1} is not part of a list such as [{{ \"Kid\": \"k1\", \"Key\": \"…\" }}]");
        }

        return null;
    }

    /// <summary>The first problem, or null.</summary>
    public string? Problem()
    {
        if (Encoding.UTF8.GetByteCount(Kid) is 0 or > 128 || Kid.Contains('~', StringComparison.Ordinal))
            return "Kid must have 1 to 128 octets and no '~'";
        if (Kid.Any(char.IsControl)) return "Kid must not have control characters";
        if (!AccessTokenAlgorithms.TryParse(Algorithm, out var algorithm)) return "Algorithm must be A256GCM or A128GCM";
        if (!Convert.TryFromBase64String(Key, new byte[Key.Length], out var length)) return "Key must be base64";
        return length < algorithm.KeyLength() ? $"Key must have {algorithm.KeyLength()} octets or more for {Algorithm}" : null;
    }
}
