using System.Buffers.Text;

namespace WebRtcIms.Waf.Tests;

/// <summary>All the spellings of a secret that a log could have.</summary>
internal static class Secret
{
    /// <summary>Octets in base64 (also as JSON escapes it), base64url, and hexadecimal.</summary>
    public static IEnumerable<string> Spellings(byte[] octets)
    {
        var base64 = Convert.ToBase64String(octets);
        return [base64.TrimEnd('='), base64.TrimEnd('=').Replace("+", "\\u002B", StringComparison.Ordinal), Uri.EscapeDataString(base64),
            Base64Url.EncodeToString(octets), Convert.ToHexString(octets), BitConverter.ToString(octets)];
    }

    /// <summary>Text as it is, in a form or query, and in base64.</summary>
    public static IEnumerable<string> Spellings(string text) =>
        [text, Uri.EscapeDataString(text), System.Net.WebUtility.UrlEncode(text), .. Spellings(System.Text.Encoding.UTF8.GetBytes(text))];
}
