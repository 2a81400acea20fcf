using System.Buffers;
using System.Buffers.Text;

namespace WebRtcIms.Stun.OAuth;

/// <summary>
/// USERNAME of the browser profile: <c>kid~base64url(token)</c>. No browser can send ACCESS-TOKEN (RFC 7635 §6.2), so the token
/// travels in the user name, and base64 of mac_key is the password.
/// </summary>
public static class BrowserUsername
{
    /// <summary>The character after the kid, which cannot contain it.</summary>
    public const char Separator = '~';

    /// <summary>RFC 8489 §14.3: USERNAME has fewer than 509 octets. Chromium does not gather candidates with more.</summary>
    public const int MaxLength = 508;

    /// <summary>Makes a USERNAME.</summary>
    public static string Format(string keyId, ReadOnlySpan<byte> token) => $"{keyId}{Separator}{Base64Url.EncodeToString(token)}";

    /// <summary>
    /// Splits a USERNAME. A token has one user name: white space, padding and unused bits that are set are not accepted.
    /// </summary>
    /// <param name="username">The octets of the attribute.</param>
    /// <param name="token">The octets of the token; <see cref="MaxLength"/> are enough.</param>
    /// <param name="keyIdLength">The length of the kid in <paramref name="username"/>, in octets.</param>
    /// <param name="tokenLength">The length of the token, in octets.</param>
    /// <returns>False when it is not a user name of this profile.</returns>
    public static bool TryParse(ReadOnlySpan<byte> username, Span<byte> token, out int keyIdLength, out int tokenLength)
    {
        tokenLength = 0;
        keyIdLength = username.IndexOf((byte)Separator);
        if (keyIdLength <= 0) return false;
        var text = username[(keyIdLength + 1)..];
        if (text.Length > MaxLength || Base64Url.DecodeFromUtf8(text, token, out _, out tokenLength) != OperationStatus.Done) return false;
        Span<byte> canonical = stackalloc byte[MaxLength];
        return Base64Url.EncodeToUtf8(token[..tokenLength], canonical, out _, out var length) == OperationStatus.Done
            && text.SequenceEqual(canonical[..length]);
    }
}
