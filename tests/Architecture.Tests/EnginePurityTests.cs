using System.Xml.Linq;
using Microsoft.CodeAnalysis;

namespace WebRtcIms.Architecture.Tests;

/// <summary>Turn.Engine decides over octets, addresses and a time that it is given. It does no I/O and reads no clock.</summary>
public sealed class EnginePurityTests
{
    private static readonly string[] ForbiddenNamespaces =
    [
        "System.Net.Sockets", "System.IO", "System.Threading.Tasks", "System.Threading.Channels", "System.Net.Http",
        "Microsoft", "StackExchange", "OpenTelemetry",
    ];

    private static readonly string[] ForbiddenTypes =
        ["System.TimeProvider", "System.Diagnostics.Stopwatch", "System.Threading.Timer", "System.Threading.Thread"];

    private static readonly string[] ForbiddenMembers =
    [
        "DateTime.Now", "DateTime.UtcNow", "DateTimeOffset.Now", "DateTimeOffset.UtcNow",
        "Environment.TickCount", "Environment.TickCount64", "Environment.GetEnvironmentVariable",
    ];

    [Fact]
    public void Engine_SeesNoSocketClockLoggerTaskOrConfiguration()
    {
        Assert.True(Products.All.Contains("Turn.Engine"), "there is no project Turn.Engine");
        var source = SourceProject.Load("Turn.Engine");
        var wrong =
            from tree in source.Trees
            let model = source.Compilation.GetSemanticModel(tree)
            from node in tree.GetRoot().DescendantNodes()
            from symbol in References.Of(model, node)
            where IsForbidden(symbol)
            select $"{tree.FilePath}: {References.MemberAround(node)} -> {symbol.ToDisplayString()}";

        Problems.None(wrong.Distinct());
    }

    [Fact]
    public void Engine_NeedsNoPackage()
    {
        Assert.True(Products.All.Contains("Turn.Engine"), "there is no project Turn.Engine");
        var project = XDocument.Load(Repository.PathOf("Turn.Engine/Turn.Engine.csproj"));

        Assert.Equal("Microsoft.NET.Sdk", project.Root!.Attribute("Sdk")!.Value);
        Assert.Empty(project.Descendants("PackageReference"));
        Assert.Empty(project.Descendants("FrameworkReference"));
    }

    private static bool IsForbidden(ISymbol symbol)
    {
        var type = symbol as ITypeSymbol ?? symbol.ContainingType;
        // AddressFamily is the kind of an address, which .NET keeps beside the sockets.
        if (type is null || type.Name == "AddressFamily") return false;
        var space = type.ContainingNamespace?.ToDisplayString() ?? "";
        return ForbiddenNamespaces.Any(each => space == each || space.StartsWith(each + ".", StringComparison.Ordinal))
            || ForbiddenTypes.Contains(type.ToDisplayString())
            || ForbiddenMembers.Contains($"{type.Name}.{symbol.Name}");
    }
}
