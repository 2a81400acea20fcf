using Microsoft.CodeAnalysis;

namespace WebRtcIms.Architecture.Tests;

/// <summary>The references between the folders of one project, each with the members that make it.</summary>
internal sealed class FolderDependencies
{
    private const string Root = "";
    private const int ExamplesPerEdge = 8;

    private readonly SortedDictionary<(string From, string To), SortedSet<string>> _edges = [];

    public FolderDependencies(SourceProject project)
    {
        foreach (var tree in project.Trees)
        {
            var from = project.FolderOf(tree)!;
            var model = project.Compilation.GetSemanticModel(tree);
            foreach (var node in tree.GetRoot().DescendantNodes())
            {
                foreach (var symbol in References.Of(model, node))
                {
                    if (FolderOf(project, symbol, from) is not { } to || to == from) continue;
                    if (!_edges.TryGetValue((from, to), out var members)) _edges.Add((from, to), members = new(StringComparer.Ordinal));
                    members.Add($"{References.MemberAround(node)} -> {References.Display(symbol)}");
                }
            }
        }
    }

    public IEnumerable<(string From, string To, string Example)> Edges =>
        _edges.Select(edge => (edge.Key.From, edge.Key.To, edge.Value.First()));

    /// <summary>One text per cycle of subfolders: their names, and the references between them, the cheapest to cut first.</summary>
    public IEnumerable<string> Cycles() =>
        from folders in Graph.Cycles([.. _edges.Keys.Where(edge => edge.From != Root && edge.To != Root)])
        let references = Describe((user, used) => folders.Contains(user) && folders.Contains(used))
        select $"{{{string.Join(", ", folders)}}} form a cycle:\n{string.Join('\n', references)}";

    /// <summary>The references to the root from folders that the root itself uses, directly or not.</summary>
    public IEnumerable<string> ReferencesToRoot()
    {
        var withRoot = Graph.Cycles(_edges.Keys).SingleOrDefault(cycle => cycle.Contains(Root));
        return withRoot is not null ? Describe((user, used) => withRoot.Contains(user) && used == Root) : [];
    }

    private IEnumerable<string> Describe(Func<string, string, bool> isShown) =>
        from edge in _edges
        where isShown(edge.Key.From, edge.Key.To)
        orderby edge.Value.Count
        let more = edge.Value.Count > ExamplesPerEdge ? "\n    ..." : ""
        let examples = string.Concat(edge.Value.Take(ExamplesPerEdge).Select(member => $"\n    {member}"))
        select $"  {Label(edge.Key.From)} uses {Label(edge.Key.To)}: {edge.Value.Count}{examples}{more}";

    private static string Label(string folder) => folder == Root ? "(root)" : folder;

    // A partial type that also has a part in the folder that uses it makes no reference.
    private static string? FolderOf(SourceProject project, ISymbol symbol, string from)
    {
        var declarations = symbol.DeclaringSyntaxReferences;
        var folders = declarations.Select(declaration => project.FolderOf(declaration.SyntaxTree)).OfType<string>().ToList();
        return folders.Count == 0 ? null : folders.Contains(from) ? from : folders[0];
    }
}
