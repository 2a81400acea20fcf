using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace WebRtcIms.Architecture.Tests;

/// <summary>Projects, folders and the skeleton of a service. One project: <c>--filter DisplayName~EpCscf</c>.</summary>
public sealed class LayoutTests
{
    private static readonly string[] EpCscfOrder = ["Sip", "Transactions", "Core", "Registration", "Connections", "Routing", "Server"];

    [Theory]
    [MemberData(nameof(Products.Each), MemberType = typeof(Products))]
    public void References_AreThoseOfTheLayout(string project)
    {
        Assert.True(Products.Allowed.ContainsKey(project), $"{project} is not in the layout");
        Problems.None(Repository.ReferencesOf(project).Except(Products.Allowed[project]));
    }

    [Fact]
    public void Layout_IsThere() => Problems.None(Products.Allowed.Keys.Except(Products.All));

    [Theory]
    [MemberData(nameof(Products.EachService), MemberType = typeof(Products))]
    public void Service_UsesServiceDefaults(string project) => Assert.Contains("ServiceDefaults", Repository.ReferencesOf(project));

    [Theory]
    [MemberData(nameof(Products.Each), MemberType = typeof(Products))]
    public void Folders_FormNoCycle(string project)
    {
        Problems.None(new FolderDependencies(SourceProject.Load(project)).Cycles());
    }

    // The root composes: a folder that the root uses cannot use the root.
    [Theory]
    [MemberData(nameof(Products.Each), MemberType = typeof(Products))]
    public void Root_IsNotUsedByTheFoldersThatItComposes(string project)
    {
        Problems.None(new FolderDependencies(SourceProject.Load(project)).ReferencesToRoot());
    }

    [Theory]
    [MemberData(nameof(Products.Each), MemberType = typeof(Products))]
    public void Namespaces_FollowFolders(string project)
    {
        var source = SourceProject.Load(project);
        var wrong =
            from tree in source.Trees
            let expected = $"WebRtcIms.{project}.{source.FolderOf(tree)!.Replace('/', '.')}".TrimEnd('.')
            from space in tree.GetRoot().DescendantNodes().OfType<BaseNamespaceDeclarationSyntax>()
            let actual = space.Name.ToString()
            // Extensions of the host and of the service collection live where their callers already look; the model is one namespace.
            where actual != expected && actual != "WebRtcIms.AppHost"
                && !actual.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal)
            select $"{tree.FilePath}: {actual}, expected {expected}";

        Problems.None(wrong);
    }

    [Fact]
    public void EpCscf_FoldersReferInOneDirection()
    {
        var wrong =
            from edge in new FolderDependencies(SourceProject.Load("EpCscf")).Edges
            let user = Array.IndexOf(EpCscfOrder, edge.From.Split('/')[0])
            let used = Array.IndexOf(EpCscfOrder, edge.To.Split('/')[0])
            where user >= 0 && used > user
            select $"{edge.From} uses {edge.To}: {edge.Example}";

        var missing = EpCscfOrder.Where(folder => !Directory.Exists(Repository.PathOf($"EpCscf/{folder}")));
        Problems.None(missing.Select(folder => $"EpCscf/{folder} is missing").Concat(wrong));
    }

    [Theory]
    [MemberData(nameof(Products.EachService), MemberType = typeof(Products))]
    public void Service_HasTheSkeleton(string project)
    {
        List<string> problems = [];
        var program = Repository.Read($"{project}/Program.cs");
        if (program.TrimEnd().Split('\n').Length is var lines and > 25) problems.Add($"Program.cs has {lines} lines, 25 are allowed");
        if (!program.Contains("ServiceHost.RunAsync(", StringComparison.Ordinal))
            problems.Add("Program.cs does not call ServiceHost.RunAsync");

        var source = SourceProject.Load(project);
        var types = NodesOf<TypeDeclarationSyntax>(source).Select(type => type.Identifier.Text).ToHashSet();
        foreach (var part in HasTelemetry(source) ? new[] { "Settings", "Services", "Telemetry" } : ["Settings", "Services"])
            if (!types.Contains(project + part)) problems.Add($"there is no type {project}{part}");
        Problems.None(problems);
    }

    [Theory]
    [MemberData(nameof(Products.Each), MemberType = typeof(Products))]
    public void UnsafeCode_IsOnlyInTheLinuxTransport(string project)
    {
        var wrong =
            from tree in SourceProject.Load(project).Trees
            where !tree.FilePath.StartsWith("Turn/Transport/Linux/", StringComparison.Ordinal)
            from node in tree.GetRoot().DescendantNodesAndTokens()
            where node.RawKind == (int)SyntaxKind.UnsafeKeyword
                || (node.AsNode() is AttributeSyntax attribute && attribute.Name.ToString() is "DllImport" or "LibraryImport")
            select $"{tree.FilePath}:{node.GetLocation()!.GetLineSpan().StartLinePosition.Line + 1}";

        Problems.None(wrong);
    }

    private static bool HasTelemetry(SourceProject source) =>
        NodesOf<IdentifierNameSyntax>(source).Any(name => name.Identifier.Text is "ActivitySource" or "Meter");

    private static IEnumerable<T> NodesOf<T>(SourceProject source) =>
        source.Trees.SelectMany(tree => tree.GetRoot().DescendantNodes().OfType<T>());
}
