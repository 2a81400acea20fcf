namespace WebRtcIms.Architecture.Tests;

/// <summary>The projects of the product and the projects that each may refer to: docs/architecture.md, "Layout".</summary>
internal static class Products
{
    public static IReadOnlyList<string> Services { get; } = ["EpCscf", "FlowView", "Turn", "Waf", "WicWeb", "Wwsf"];

    public static IReadOnlyDictionary<string, string[]> Allowed { get; } = new Dictionary<string, string[]>
    {
        ["Stun"] = [],
        ["Turn.Engine"] = ["Stun"],
        ["Turn.Client"] = ["Stun"],
        ["Contracts"] = ["Stun"],
        ["ServiceDefaults"] = ["Contracts"],
        ["Stores"] = ["ServiceDefaults"],
        ["Garnet"] = [],
        ["Turn"] = ["Stun", "Turn.Engine", "ServiceDefaults", "Contracts"],
        ["Waf"] = ["Stun", "ServiceDefaults", "Contracts", "Stores"],
        ["Wwsf"] = ["ServiceDefaults", "Contracts", "Stores", "Turn.Client"],
        ["EpCscf"] = ["ServiceDefaults", "Contracts"],
        ["WicWeb"] = ["ServiceDefaults", "Contracts"],
        ["FlowView"] = ["ServiceDefaults", "Contracts"],
        ["AppHost"] = ["EpCscf", "FlowView", "Garnet", "Turn", "Turn.Client", "Waf", "WicWeb", "Wwsf"],
    };

    /// <summary>The folders at the root of the repository that have a project.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        .. from file in Repository.Files
           where file.Split('/') is [var folder, var name] && name == $"{folder}.csproj"
           select file.Split('/')[0],
    ];

    public static TheoryData<string> Each => [.. All];

    public static TheoryData<string> EachService => [.. Services];
}
