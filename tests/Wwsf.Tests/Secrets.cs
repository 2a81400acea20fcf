using System.Text.RegularExpressions;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>Searches logs and spans for text that must not be there, without regard to case.</summary>
internal static class Secrets
{
    // Random base64, such as the id of a connection, contains shorter text by chance. So short text must stand between other characters.
    private const int ShortLength = 12;

    public static void AssertNone(IEnumerable<string> written, IEnumerable<string> secrets)
    {
        var texts = written.ToList();
        foreach (var secret in secrets) Assert.DoesNotContain(texts, text => AppearsIn(text, secret));
    }

    public static bool AppearsIn(string text, string secret)
    {
        if (secret.Length > ShortLength) return text.Contains(secret, StringComparison.OrdinalIgnoreCase);
        var word = $"(?<![A-Za-z0-9]){Regex.Escape(secret)}(?![A-Za-z0-9])";
        return Regex.IsMatch(text, word, RegexOptions.IgnoreCase | RegexOptions.CultureInvariant);
    }
}
