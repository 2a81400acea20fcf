using System.Security.Cryptography;
using WebRtcIms.Contracts.RegistrationTokens;
using WebRtcIms.Tests.Common.Users;

namespace WebRtcIms.Chaos.Tests.Tokens;

/// <summary>Registration tokens that no eP-CSCF may accept.</summary>
internal sealed class RegistrationForgeries(byte[] key)
{
    public const string Kid = "r1";
    private const string Domain = "webrtcims.local";
    // The eP-CSCF knows more guests than the WWSF lets in.
    private const string User = "guest-4999";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>Tokens that are refused by themselves, by what is wrong with them.</summary>
    public IEnumerable<(string Name, string Token)> Wrong()
    {
        yield return ("expired", Make(age: TimeSpan.FromHours(2)));
        yield return ("from the future", Make(age: -TimeSpan.FromMinutes(5)));
        yield return ("under another key", new RegistrationForgeries(RandomNumberGenerator.GetBytes(32)).Make());
        yield return ("for another domain", Make(domain: "another.local"));
        var good = Make();
        yield return ("altered", $"{good[..^30]}{(good[^30] == 'A' ? 'B' : 'A')}{good[^29..]}");
    }

    /// <summary>A token that is good.</summary>
    public string Make(TimeSpan age = default, string domain = Domain)
    {
        var issued = (TimeProvider.System.GetUtcNow() - age).ToUnixTimeSeconds();
        using var cipher = new RegistrationTokenKey(Kid, key);
        return cipher.Encrypt(new RegistrationToken
        {
            Issuer = $"waf.{Domain}",
            Audience = $"sip:{domain}",
            Impi = $"{User}@{Domain}",
            Impus = [$"sip:{User}@{Domain}"],
            Waf = $"waf.{Domain}",
            Wwsf = "wwsf",
            IssuedAt = issued,
            ExpiresAt = issued + 600,
            TokenId = NewId(),
            SessionId = NewId(),
        });
    }

    /// <summary>Whether a replica registers a page with the token. No answer is a refusal.</summary>
    public static async Task<bool> IsAcceptedAsync(Uri replica, string token, string user = User)
    {
        using var page = new SipUser(user) { Patience = Patience };
        var isAccepted = false;
        await Record.ExceptionAsync(async () =>
        {
            var answer = await page.TryRegisterAsync(replica, token).WaitAsync(2 * Patience);
            isAccepted = answer.StartLine.StartsWith("SIP/2.0 200", StringComparison.Ordinal);
        });
        return isAccepted;
    }

    private static string NewId() => RandomNumberGenerator.GetHexString(24, lowercase: true);
}
