using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Users;

/// <summary>
/// Refuses passwords that are easy to guess: those of known breaches, dictionary words, names, keyboard patterns and what consists of them,
/// and the words of this account and this service. zxcvbn has the lists. ASP.NET Core Identity checks the length.
/// </summary>
internal sealed class PasswordRule(WwsfSettings settings) : IPasswordValidator<User>
{
    // "Safely unguessable" in the scale of zxcvbn from 0 to 4.
    private const int MinScore = 3;

    // The work grows with the length. What is strong so far does not become weak.
    private const int MaxCheckedLength = 64;

    public async Task<IdentityResult> ValidateAsync(UserManager<User> manager, User user, string? password)
    {
        var words = WordsOf(user.UserName, Subscription.Of(await manager.GetClaimsAsync(user))?.DisplayName);
        var text = password ?? "";
        return Zxcvbn.Zxcvbn.MatchPassword(text[..Math.Min(text.Length, MaxCheckedLength)], words).Score >= MinScore
            ? IdentityResult.Success
            : IdentityResult.Failed(new IdentityError { Code = "PasswordGuessable" });
    }

    private string[] WordsOf(params IEnumerable<string?> names) =>
        [.. names.Concat([settings.HomeDomain, "webrtcims", .. settings.PublicOrigin])
            .SelectMany(text => (text ?? "").ToLowerInvariant().Split([' ', '.', '-', '/', ':', '@'],
                StringSplitOptions.RemoveEmptyEntries))
            .Where(word => word.Length > 2).Distinct()];
}
