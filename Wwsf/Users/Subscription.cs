using WebRtcIms.Wwsf.Ims;

namespace WebRtcIms.Wwsf.Users;

/// <summary>
/// The IMS subscription that belongs to a web identity (TS 33.203 X.3): three claims of the user in the store. A user without one
/// can log in but cannot register.
/// </summary>
internal static class Subscription
{
    private const string Impi = "impi";
    private const string Impu = "impu";
    public const string DisplayName = "display_name";

    public static ImsIdentity? Of(IEnumerable<Claim> claims)
    {
        var values = claims.Where(IsPartOf).DistinctBy(claim => claim.Type).ToDictionary(claim => claim.Type, claim => claim.Value);
        return values.TryGetValue(Impi, out var impi) && values.TryGetValue(Impu, out var impu)
            ? new(impi, impu, values.GetValueOrDefault(DisplayName, ""))
            : null;
    }

    public static bool IsPartOf(Claim claim) => claim.Type is Impi or Impu or DisplayName;

    public static IEnumerable<Claim> ToClaims(this ImsIdentity identity) =>
        [new(Impi, identity.Impi), new(Impu, identity.Impu), new(DisplayName, identity.DisplayName)];
}
