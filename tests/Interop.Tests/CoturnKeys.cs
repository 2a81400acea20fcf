using WebRtcIms.Stun.OAuth;

namespace WebRtcIms.Interop.Tests;

/// <summary>The three keys that are built into <c>turnutils_uclient -J</c>, and the server name that it uses.</summary>
internal static class CoturnKeys
{
    public const string ServerName = "blackdow.carleon.gov";
    public const string SharedSecret = "shared by all servers";
    public const string North = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEK";
    public const string Union = "MTIzNDU2Nzg5MDEyMzQ1Ngo=";
    public const string OldEmpire = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIK";

    /// <summary>Settings of a server that has them, and a user for the runs with a password.</summary>
    public static readonly (string, string)[] Settings =
    [
        ("Turn__ServerName", ServerName),
        ("Turn__Realm", "north.gov"),
        ("Turn__Keys__0__Kid", "north"),
        ("Turn__Keys__0__Key", North),
        ("Turn__Keys__1__Kid", "union"),
        ("Turn__Keys__1__Key", Union),
        ("Turn__Keys__1__Algorithm", "A128GCM"),
        ("Turn__Keys__2__Kid", "oldempire"),
        ("Turn__Keys__2__Key", OldEmpire),
        ("Turn__StaticUsers__0__Name", "u"),
        ("Turn__StaticUsers__0__Password", "p"),
        ("Turn__SharedSecret", SharedSecret),
    ];

    public static AccessTokenKey Key(string kid) => kid switch
    {
        "north" => new AccessTokenKey(kid, AccessTokenAlgorithm.A256Gcm, Convert.FromBase64String(North)),
        "union" => new AccessTokenKey(kid, AccessTokenAlgorithm.A128Gcm, Convert.FromBase64String(Union)),
        _ => new AccessTokenKey(kid, AccessTokenAlgorithm.A256Gcm, Convert.FromBase64String(OldEmpire)),
    };

    public static string Base64(string kid) => kid switch { "north" => North, "union" => Union, _ => OldEmpire };
}
