// What a page is given.
export interface PageProps {
  params: Record<string, string>; // of the path
  query: URLSearchParams;
}
