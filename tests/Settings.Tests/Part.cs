using System.Globalization;
using System.Reflection;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Settings.Tests;

/// <summary>A part of the system, with the fewest settings with which it starts.</summary>
/// <param name="Name">The project.</param>
/// <param name="Good">These settings.</param>
public sealed record Part(string Name, Func<string, (string Name, string Value)[]> Good)
{
    public static readonly string Key = Convert.ToBase64String(new byte[32]);

    private static readonly (string, string)[] Web = [("environment", "Development"), ("urls", "http://127.0.0.1:0")];

    public static IReadOnlyList<Part> All { get; } =
    [
        new("Turn", _ =>
        [
            .. Web, ("Turn:Keys:0:Kid", "k1"), ("Turn:Keys:0:Key", Key), ("Turn:Workers", "1"),
            ("Turn:Port", FreePorts.TcpAndUdp().ToString(CultureInfo.InvariantCulture)),
            ("Turn:TlsPort", FreePorts.TcpAndUdp().ToString(CultureInfo.InvariantCulture)),
        ]),
        new("Waf", folder =>
        [
            .. Web, ("Waf:TurnServers:0:Name", "turn.test"), ("Waf:Clients:0:ClientId", "wwsf"),
            ("Waf:Clients:0:ClientSecret", "a secret of the tests"), ("Waf:Clients:0:Audiences:0", "turn.test"),
            ("ConnectionStrings:waf", $"Data Source={folder}/waf.db"),
        ]),
        new("Wwsf", folder =>
        [
            .. Web, ("Wwsf:Waf:ClientSecret", "a secret of the tests"), ("ConnectionStrings:wwsf", $"Data Source={folder}/wwsf.db"),
        ]),
        new("EpCscf", _ => [.. Web, ("EpCscf:TokenKeys:0:Kid", "r1"), ("EpCscf:TokenKeys:0:Key", Key)]),
        new("FlowView", _ => [.. Web]),
        new("WicWeb", _ => [.. Web]),
    ];

    public Assembly Assembly => Assembly.Load($"WebRtcIms.{Name}");

    public static Part Of(string name) => All.Single(part => part.Name == name);

    public override string ToString() => Name;
}
